"""The contract of kernels: names, arguments, shapes, the order of operations, and what is refused."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import caduceus
from caduceus import interfaces
from caduceus.conformance import inputs
from caduceus.conformance.subjects import Arguments, Subject

REQUIRED = inspect.Parameter.empty
SIGNATURES: dict[str, dict[str, Any]] = {
    "selective_scan": dict.fromkeys(("u", "dt", "A", "B", "C"), REQUIRED)
    | dict.fromkeys(("D", "z", "dt_bias"))
    | {"dt_softplus": False, "reverse": False, "state": None, "mask": None},
    "causal_conv": {"x": REQUIRED, "weight": REQUIRED, "bias": None, "activation": None}
    | {"reverse": False, "state": None, "mask": None},
    "add_norm": {"x": REQUIRED, "weight": REQUIRED, "bias": None, "residual": None, "eps": 1e-5, "kind": "rms"},
}


def call(subject: Subject, kernel: str, arguments: Arguments) -> Any:
    return getattr(subject.backend, kernel)(**{n: subject.put(x) for n, x in arguments.items()})


@pytest.mark.parametrize("kernel", SIGNATURES)
def test_signature(subject: Subject, kernel: str) -> None:
    found = inspect.signature(getattr(subject.backend, kernel)).parameters
    assert {name: p.default for name, p in found.items()} == SIGNATURES[kernel]
    assert list(found) == list(SIGNATURES[kernel])


def test_it_is_a_backend(subject: Subject) -> None:
    assert isinstance(subject.backend, interfaces.Backend)
    assert caduceus.get_backend(subject.backend) is subject.backend
    assert subject.dtype in subject.backend.dtypes


def test_shapes_and_dtypes(subject: Subject) -> None:
    expected = {
        "selective_scan": ((2, 9, 3), (2, 3, 4)),
        "causal_conv": ((2, 9, 3), (2, 3, 3)),
        "add_norm": ((2, 5, 7), (2, 5, 7)),
    }
    examples = {
        "selective_scan": inputs.scan_arguments(0),
        "causal_conv": inputs.conv_arguments(0),
        "add_norm": inputs.norm_arguments(0),
    }
    for kernel, shapes in expected.items():
        results = call(subject, kernel, examples[kernel])
        assert tuple(tuple(y.shape) for y in results) == shapes
        assert {str(y.dtype).removeprefix("torch.") for y in results} == {subject.dtype}


def test_one_step_by_hand(subject: Subject) -> None:
    """Add the bias, softplus, the step, C . s + D u, then the gate: in this order."""
    one = np.ones((1, 1, 1))
    dt, bias, z = 0.3, 0.4, -0.7
    given = {"u": 2 * one, "dt": dt * one, "A": -np.ones((1, 1)), "B": 3 * one, "C": 5 * one}
    given |= {"D": np.array([0.5]), "z": z * one, "dt_bias": np.array([bias]), "dt_softplus": True, "state": 7 * one}
    delta = np.log1p(np.exp(dt + bias))
    state = np.exp(-delta) * 7 + delta * 2 * 3
    y = (5 * state + 0.5 * 2) * z / (1 + np.exp(-z))
    found = subject.kernel("selective_scan", given)
    np.testing.assert_allclose(found[0], y * one, rtol=1e-6)
    np.testing.assert_allclose(found[1], state * one, rtol=1e-6)


def test_state_of_a_convolution_is_in_walking_direction(subject: Subject) -> None:
    """What comes back holds the last K - 1 inputs, oldest first, after walking either way."""
    given = {"x": np.array([[[1.0], [2.0], [3.0]]]), "weight": np.array([[100.0, 10.0, 1.0]])}
    y, state = subject.kernel("causal_conv", given)
    assert y[0, :, 0].tolist() == [1.0, 12.0, 123.0]
    assert state.tolist() == [[[2.0, 3.0]]]
    y, state = subject.kernel("causal_conv", given | {"reverse": True, "state": np.array([[[5.0, 4.0]]])})
    assert y[0, :, 0].tolist() == [321.0, 432.0, 543.0]
    assert state.tolist() == [[[2.0, 1.0]]]


def test_add_norm_gives_the_sum_too(subject: Subject) -> None:
    x, residual = np.array([[[3.0, 4.0]]]), np.array([[[0.0, 1.0]]])
    ones = np.ones(2)
    normed, total = subject.kernel("add_norm", {"x": x, "weight": ones, "residual": residual, "eps": 0.0})
    assert total.tolist() == [[[3.0, 5.0]]]
    np.testing.assert_allclose(normed, total / np.sqrt(17.0), rtol=1e-6)
    layer, total = subject.kernel("add_norm", {"x": x, "weight": ones, "bias": ones, "kind": "layer", "eps": 0.0})
    np.testing.assert_allclose(layer, [[[0.0, 2.0]]], atol=1e-6)
    assert total.tolist() == x.tolist()


@pytest.mark.parametrize(
    ("kernel", "change"),
    [
        ("selective_scan", {"dt": np.zeros((1, 9, 3))}),
        ("selective_scan", {"B": np.zeros((2, 9, 1))}),
        ("selective_scan", {"C": np.zeros((2, 1, 4))}),
        ("selective_scan", {"z": np.zeros((2, 9, 1))}),
        ("selective_scan", {"D": np.zeros(1)}),
        ("selective_scan", {"dt_bias": np.zeros(1)}),
        ("selective_scan", {"state": np.zeros((1, 3, 4))}),
        ("selective_scan", {"mask": np.ones((2, 1), dtype=bool)}),
        ("causal_conv", {"weight": np.zeros((1, 4))}),
        ("causal_conv", {"bias": np.zeros(1)}),
        ("causal_conv", {"state": np.zeros((2, 3, 1))}),
        ("causal_conv", {"mask": np.ones((1, 9), dtype=bool)}),
        ("add_norm", {"weight": np.zeros(1)}),
        ("add_norm", {"residual": np.zeros((1, 5, 7))}),
    ],
)
def test_what_would_broadcast_is_refused(subject: Subject, kernel: str, change: Arguments) -> None:
    examples = {"selective_scan": inputs.scan_arguments, "causal_conv": inputs.conv_arguments}
    arguments = examples.get(kernel, inputs.norm_arguments)(0)
    (name,) = change
    with pytest.raises(ValueError, match=rf"{name} has shape \(.*\), expected \(.*\)"):
        call(subject, kernel, arguments | change)


def test_other_arguments_are_checked(subject: Subject) -> None:
    with pytest.raises(ValueError, match=r"mask has dtype .*, expected bool"):
        call(subject, "causal_conv", inputs.conv_arguments(0) | {"mask": np.ones((2, 9))})
    with pytest.raises(ValueError, match="activation is 'relu'"):
        call(subject, "causal_conv", inputs.conv_arguments(0) | {"activation": "relu"})
    with pytest.raises(ValueError, match="'batch', expected"):
        call(subject, "add_norm", inputs.norm_arguments(0) | {"kind": "batch"})
