"""The reference's kernels against formulas of another form, and their laws."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caduceus import interfaces
from caduceus.reference import Backend, add_norm, causal_conv, directional_derivative, selective_scan
from caduceus.reference.arrays import Array, log1p_exp, silu, softplus

BATCH, CHANNELS, STATES = 2, 3, 4
lengths = st.integers(1, 13)
seeds = st.integers(0, 2**32 - 1)
close: Any = {"rtol": 1e-12, "atol": 1e-12}


def scan_inputs(length: int, seed: int) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    shapes = {"u": CHANNELS, "dt": CHANNELS, "z": CHANNELS, "B": STATES, "C": STATES}
    inputs = {name: rng.standard_normal((BATCH, length, size)) for name, size in shapes.items()}
    inputs |= {"A": -np.exp(rng.standard_normal((CHANNELS, STATES))), "D": rng.standard_normal(CHANNELS)}
    return inputs | {"dt_bias": rng.standard_normal(CHANNELS)}


def test_it_is_a_backend() -> None:
    backend = Backend()
    assert isinstance(backend, interfaces.Backend)
    assert (backend.name, backend.dtypes) == ("reference", ("float64",))


@given(lengths, seeds)
def test_the_scan_is_a_sum_over_all_earlier_positions(length: int, seed: int) -> None:
    """y_t = (sum_{r <= t} C_t . exp((delta_{r+1} + ... + delta_t) A) delta_r u_r B_r + D u_t) silu(z_t)."""
    x = scan_inputs(length, seed)
    y, state = selective_scan(**x, dt_softplus=True)
    delta = np.log1p(np.exp(x["dt"] + x["dt_bias"]))
    total = np.cumsum(delta, axis=1)
    for t in range(length):
        s = np.zeros((BATCH, CHANNELS, STATES))
        for r in range(t + 1):
            decay = np.exp((total[:, t] - total[:, r])[..., None] * x["A"])
            s += decay * (delta[:, r] * x["u"][:, r])[..., None] * x["B"][:, r, None]
        expected = np.einsum("ben,bn->be", s, x["C"][:, t]) + x["D"] * x["u"][:, t]
        np.testing.assert_allclose(y[:, t], expected * x["z"][:, t] / (1 + np.exp(-x["z"][:, t])), **close)
    np.testing.assert_allclose(state, s, **close)


def reversed_in_time(x: dict[str, Array]) -> dict[str, Array]:
    return {name: value[:, ::-1] if value.ndim == 3 else value for name, value in x.items()}


@given(lengths, seeds)
def test_reverse_is_flip_scan_flip(length: int, seed: int) -> None:
    x = scan_inputs(length, seed)
    mask = np.random.default_rng(seed).random((BATCH, length)) > 0.3
    y, state = selective_scan(**x, dt_softplus=True, reverse=True, mask=mask)
    flipped, expected = selective_scan(**reversed_in_time(x), dt_softplus=True, mask=mask[:, ::-1])
    np.testing.assert_array_equal(y, flipped[:, ::-1])
    np.testing.assert_array_equal(state, expected)


@given(lengths, seeds, st.booleans(), st.data())
def test_carried_state_joins_two_pieces(length: int, seed: int, reverse: bool, data: st.DataObject) -> None:
    x = scan_inputs(length, seed)
    cut = data.draw(st.integers(0, length))
    start = np.random.default_rng(seed).standard_normal((BATCH, CHANNELS, STATES))
    whole, end = selective_scan(**x, reverse=reverse, state=start)
    ranges = [slice(0, cut), slice(cut, length)]
    state, pieces = start, {}
    for part in reversed(ranges) if reverse else ranges:
        piece = {name: value[:, part] if value.ndim == 3 else value for name, value in x.items()}
        pieces[part.start, part.stop], state = selective_scan(**piece, reverse=reverse, state=state)
    np.testing.assert_array_equal(np.concatenate([pieces[p.start, p.stop] for p in ranges], axis=1), whole)
    np.testing.assert_array_equal(state, end)


@given(lengths, seeds)
def test_a_masked_step_is_as_if_it_were_not_there(length: int, seed: int) -> None:
    x = scan_inputs(length, seed)
    valid = np.random.default_rng(seed).random(length) > 0.4
    dirty = dict(x)
    for name in ("u", "dt", "B", "z"):
        dirty[name] = np.where(valid[:, None], x[name], np.nan)
    mask = np.broadcast_to(valid, (BATCH, length))
    y, state = selective_scan(**dirty, dt_softplus=True, mask=mask)
    without = {name: value[:, valid] if value.ndim == 3 else value for name, value in x.items()}
    expected, last = selective_scan(**without, dt_softplus=True)
    np.testing.assert_array_equal(y[:, valid], expected)
    np.testing.assert_array_equal(state, last)


@given(lengths, st.integers(1, 5), seeds, st.booleans())
def test_the_convolution_is_numpys(length: int, taps: int, seed: int, reverse: bool) -> None:
    rng = np.random.default_rng(seed)
    x, weight, bias = (
        rng.standard_normal((BATCH, length, CHANNELS)),
        rng.standard_normal((CHANNELS, taps)),
        rng.random(3),
    )
    before = rng.standard_normal((BATCH, CHANNELS, taps - 1))
    mask = rng.random((BATCH, length)) > 0.3
    dirty = np.where(mask[..., None], x, np.nan)
    y, after = causal_conv(dirty, weight, bias, "silu", reverse, before, mask)
    for b in range(BATCH):
        for e in range(CHANNELS):
            row = np.where(mask[b], x[b, :, e], 0.0)
            walked = np.concatenate([before[b, e], row[::-1] if reverse else row])
            full = np.convolve(walked, weight[e, ::-1], mode="valid") + bias[e]
            full = (full / (1 + np.exp(-full)))[:: -1 if reverse else 1]
            np.testing.assert_allclose(y[b, :, e], full, **close)
            np.testing.assert_array_equal(after[b, e], walked[length:])


def test_the_convolution_without_state_and_activation() -> None:
    y, after = causal_conv(np.array([[[1.0], [2.0], [3.0]]]), np.array([[10.0, 100.0]]))
    np.testing.assert_array_equal(y[0, :, 0], [100.0, 210.0, 320.0])
    np.testing.assert_array_equal(after, [[[3.0]]])


@given(seeds)
def test_norms(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, r = rng.standard_normal((2, BATCH, 5, 7))
    weight, bias = rng.standard_normal((2, 7))
    rms, total = add_norm(x, weight, residual=r, eps=0.1)
    np.testing.assert_array_equal(total, x + r)
    np.testing.assert_allclose(rms * rms * ((total**2).mean(-1, keepdims=True) + 0.1), (total * weight) ** 2, **close)
    layer, _ = add_norm(x, weight, bias, residual=r, eps=0.1, kind="layer")
    spread = np.sqrt(total.var(-1, keepdims=True) + 0.1)
    np.testing.assert_allclose(layer, (total - total.mean(-1, keepdims=True)) / spread * weight + bias, **close)


def test_pointwise_functions_at_their_extremes() -> None:
    x = np.array([-1e4, -800.0, -30.0, 0.0, 19.9, 20.1, 800.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(silu(x), x * np.exp(-log1p_exp(-x)), **close)
        np.testing.assert_array_equal(softplus(x)[-2:], x[-2:])
        np.testing.assert_array_equal(softplus(x)[:-2], np.log1p(np.exp(x[:-2])))
        np.testing.assert_allclose(log1p_exp(x), np.logaddexp(0.0, x), **close)
        gate = 1 / (1 + np.exp(-np.clip(x, -700, 700)))
        ones = np.ones_like(x)
        np.testing.assert_allclose(directional_derivative(log1p_exp, x, ones), gate, **close)
        np.testing.assert_allclose(directional_derivative(softplus, x, ones), np.where(x > 20, 1.0, gate), **close)
        np.testing.assert_allclose(directional_derivative(silu, x, ones), gate * (1 + x * (1 - gate)), **close)


def test_the_complex_step_agrees_with_differences() -> None:
    x = scan_inputs(9, 0)
    rng = np.random.default_rng(1)
    v = {name: rng.standard_normal(value.shape) for name, value in x.items()}
    mask = rng.random((BATCH, 9)) > 0.3

    def f(inputs: dict[str, Array]) -> tuple[Array, Array]:
        return selective_scan(**inputs, dt_softplus=True, mask=mask)

    h = 1e-5
    ahead, behind = (f({name: x[name] + step * v[name] for name in x}) for step in (h, -h))
    for exact, p, m in zip(directional_derivative(f, x, v), ahead, behind, strict=True):
        np.testing.assert_allclose(exact, (p - m) / (2 * h), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dt": np.zeros((1, 4, CHANNELS))}, r"dt has shape \(1, 4, 3\), expected \(2, 4, 3\)"),
        ({"C": np.zeros((BATCH, 4, 1))}, "C has shape"),
        ({"D": np.zeros(1)}, "D has shape"),
        ({"mask": np.ones((BATCH, 3), bool)}, "mask has shape"),
        ({"mask": np.ones((BATCH, 4))}, "mask has dtype float64, expected bool"),
    ],
)
def test_what_would_broadcast_is_refused(change: dict[str, Array], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        selective_scan(**(scan_inputs(4, 0) | change))


def test_other_arguments_are_checked() -> None:
    x = np.zeros((1, 2, 3))
    with pytest.raises(ValueError, match="activation is 'relu'"):
        causal_conv(x, np.zeros((3, 2)), activation="relu")
    with pytest.raises(ValueError, match="kind of norm is 'batch'"):
        add_norm(x, np.ones(3), kind="batch")
    with pytest.raises(ValueError, match=r"residual has shape \(3,\)"):
        add_norm(x, np.ones(3), residual=np.ones(3))
    with pytest.raises(ValueError, match=r"v has \['b'\]"):
        directional_derivative(lambda w: w["a"], {"a": x}, {"b": x})
    with pytest.raises(ValueError, match="v has shape"):
        directional_derivative(np.sin, x, np.zeros(3))
