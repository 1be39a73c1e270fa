"""What the kernels read and write: every element of an output, nothing at masked positions, strides of any size."""

from __future__ import annotations

from ctypes import byref
from typing import Any

import pytest
import torch
from torch import Tensor

from caduceus.backends.cpu import CpuBackend, library
from caduceus.conformance.cpu.examples import (
    Arguments,
    assert_same,
    conv_arguments,
    norm_arguments,
    random_mask,
    results,
    scan_arguments,
)
from caduceus.conformance.cpu.mamba import Size, mamba_arguments

CALLS: dict[str, Arguments] = {
    "selective_scan": scan_arguments(2, 70, 21, 5) | {"mask": random_mask(2, 70)},
    "causal_conv": conv_arguments(2, 70, 21, 4) | {"mask": random_mask(2, 70)},
    "add_norm": norm_arguments(70, 21),
    "mamba": mamba_arguments(Size(17, 100)) | {"mask": random_mask(17, 100)},
}
FAR = 2**32 + 64
"""Elements."""


@pytest.mark.parametrize("kernel", CALLS)
def test_every_element_is_written(backend: CpuBackend, kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = results(backend, kernel, CALLS[kernel])
    empty = Tensor.new_empty
    monkeypatch.setattr(Tensor, "new_empty", lambda self, *shape: empty(self, *shape).fill_(float("nan")))
    found = results(backend, kernel, CALLS[kernel])
    assert_same(found, expected)
    assert not any(bool(x.isnan().any()) for x in found.values())


@pytest.mark.parametrize("reverse", [False, True])
def test_masked_content_is_not_read(backend: CpuBackend, reverse: bool) -> None:
    for kernel, names in (("selective_scan", ("dt", "B")), ("causal_conv", ("x",))):
        clean = CALLS[kernel] | {"reverse": reverse}
        dirty = dict(clean)
        for name in names:
            dirty[name] = clean[name].masked_fill(~clean["mask"].unsqueeze(2), float("nan"))
        assert_same(results(backend, kernel, dirty), results(backend, kernel, clean))


def test_nan_at_a_masked_position_stays_there(backend: CpuBackend) -> None:
    clean = CALLS["selective_scan"]
    dirty = clean | {"u": clean["u"].masked_fill(~clean["mask"].unsqueeze(2), float("nan"))}
    (y, last), (expected, expected_last) = backend.selective_scan(**dirty), backend.selective_scan(**clean)
    assert torch.equal(y[clean["mask"]], expected[clean["mask"]])
    assert torch.equal(last, expected_last)


def test_masked_content_of_a_mamba(backend: CpuBackend, dtype: torch.dtype) -> None:
    """NaN there: nothing else changes, and what comes out, and every gradient by what is there, is exactly 0."""
    size = Size(3, 300)
    mask = random_mask(*size[:2])
    mask[0, :100] = mask[1, 200:] = mask[2] = False
    clean = mamba_arguments(size, dtype) | {"mask": mask}
    dirty = clean | {"h": clean["h"].masked_fill(~mask.unsqueeze(2), float("nan"))}
    found = results(backend, "mamba", dirty)
    assert_same(found, results(backend, "mamba", clean))
    assert not any(bool(found[name][~mask].any()) for name in ("first", "dh"))


def test_slices_are_read_in_place(backend: CpuBackend) -> None:
    """x and z as halves of one product, dt, B and C as columns of another, every other row of a batch."""
    apart = scan_arguments(2, 40, 24, 8)
    joined = dict(apart)
    joined["u"], joined["z"] = torch.cat([apart["u"], apart["z"]], dim=-1).chunk(2, dim=-1)
    joined["dt"], joined["B"], joined["C"] = torch.cat([apart[n] for n in ("dt", "B", "C")], dim=-1).split(
        [24, 8, 8], -1
    )
    joined["mask"] = apart["mask"] = random_mask(2, 40)
    joined["mask"] = joined["mask"].repeat_interleave(2, 0)[::2]
    assert_same(results(backend, "selective_scan", joined), results(backend, "selective_scan", apart))


def far_apart(x: Tensor, memory: Tensor) -> Tensor:
    """``x`` (2, L, C) with its batch rows more than 2^32 elements apart, in memory of which only a few pages exist."""
    view = memory.as_strided(x.shape, (FAR, x.shape[2], 1))
    view.copy_(x)
    return view


@pytest.fixture(scope="module")
def sparse() -> Tensor:
    """Room for two rows `FAR` elements apart; pages that nobody touches take no memory."""
    return torch.empty(FAR + (1 << 20))


def test_rows_further_apart_than_32_bits(backend: CpuBackend, sparse: Tensor) -> None:
    near = scan_arguments(2, 40, 24, 4)
    for i, name in enumerate(("u", "dt", "B", "C", "z")):
        far = near | {name: far_apart(near[name], sparse[i * 4096 :])}
        assert_same(results(backend, "selective_scan", far), results(backend, "selective_scan", near))
    conv = conv_arguments(2, 40, 24, 4)
    far = conv | {"x": far_apart(conv["x"], sparse)}
    assert_same(results(backend, "causal_conv", far), results(backend, "causal_conv", conv))
    whole = mamba_arguments(Size(2, 40))
    far = whole | {"h": far_apart(whole["h"], sparse)}
    assert_same(results(backend, "mamba", far), results(backend, "mamba", whole))


def test_an_output_further_apart_than_32_bits(backend: CpuBackend, sparse: Tensor) -> None:
    arguments = conv_arguments(2, 40, 24, 4)
    expected, _ = backend.causal_conv(arguments["x"], arguments["weight"], activation="silu")
    y = sparse.as_strided((2, 40, 24), (FAR, 24, 1))
    call = library.Conv(threads=1, silu=1, batch=2, length=40, channels=24, taps=4, x=library.rows(arguments["x"]))
    call.y, call.weight = library.rows(y), library.pointer(arguments["weight"])
    library.library().caduceus_conv_forward(backend.isa.number, byref(call))
    assert torch.equal(y, expected)


def test_what_a_mamba_keeps_further_apart_than_32_bits(
    backend: CpuBackend, sparse: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything with a batch: the output, what is kept for the backward, and the gradient of h."""
    arguments = mamba_arguments(Size(2, 200))
    expected = results(backend, "mamba", arguments)
    empty, taken = Tensor.new_empty, []

    def far(self: Tensor, *shape: Any) -> Tensor:
        near = empty(self, *shape)
        if near.ndim < 3:
            return near
        taken.append(near.shape)
        return sparse[len(taken) * 8192 :].as_strided(near.shape, (FAR, *near.stride()[1:]))

    monkeypatch.setattr(Tensor, "new_empty", far)
    assert_same(results(backend, "mamba", arguments), expected)
    assert len(taken) == 9


def test_denormal_numbers_are_zero_in_kernels_and_only_there(backend: CpuBackend, threads: int) -> None:
    """A state decays through them, a hundred times slower than through others."""
    tiny = torch.full((1,), 1e-40)
    arguments = scan_arguments(1, 300, 70, 16) | {"B": torch.zeros(1, 300, 16)}
    arguments["state"] = torch.logspace(-45, 0, 70)[None, :, None].expand(1, 70, 16).contiguous()
    arguments["dt_bias"] = torch.linspace(-3, 0, 70)
    _, last = backend.selective_scan(**arguments)
    assert bool(((last > 0) & (last < 1e-30)).any())
    assert not bool(((last != 0) & (last.abs() < torch.finfo(torch.float32).tiny)).any())
    assert bool(tiny * 1 > 0)


@pytest.mark.parametrize("empty", ["batch", "length", "channels"])
def test_nothing_to_do(backend: CpuBackend, empty: str) -> None:
    sizes = {"batch": 2, "length": 5, "channels": 3} | {empty: 0}
    found = results(backend, "selective_scan", scan_arguments(**sizes, states=2))
    assert found["first"].shape == (sizes["batch"], sizes["length"], sizes["channels"])
    if empty == "length":
        assert torch.equal(found["second"], scan_arguments(**sizes, states=2)["state"])
    assert results(backend, "causal_conv", conv_arguments(**sizes, taps=4))["first"].numel() == 0
    assert results(backend, "add_norm", norm_arguments(sizes["length"], sizes["channels"]))["first"].shape[0] == 1


@pytest.mark.parametrize(("batch", "length"), [(0, 5), (2, 0)])
def test_nothing_to_mix(backend: CpuBackend, batch: int, length: int) -> None:
    found = results(backend, "mamba", mamba_arguments(Size(batch, length)))
    assert found["first"].shape == (batch, length, 6)
    assert not any(bool(x.any()) for x in found.values())
