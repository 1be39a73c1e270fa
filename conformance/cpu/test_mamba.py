"""A whole Mamba in one kernel: values and gradients at sizes around the edges of tiles, chunks and blocks of sequences.

The sizes follow from `csrc/constants.h` and `Cut` in `csrc/mamba.h`: tiles of 96 positions, of 32 steps of the scan; on
one thread, chunks of 16 tiles of at most 16 sequences.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor

from caduceus import parts
from caduceus.backends.cpu import CpuBackend
from caduceus.backends.torch import TorchBackend
from caduceus.conformance import inputs
from caduceus.conformance.cpu.examples import Arguments, assert_close, call, random_mask, results
from caduceus.conformance.cpu.mamba import Size, mamba_arguments
from caduceus.conformance.properties import values
from caduceus.conformance.subjects import Case, Subject
from caduceus.spec import Spec

KERNELS = 5
"""In_proj, convolution, selection, scan, out_proj: in float32 their errors add up."""
FORWARD, BACKWARD = (False,), (True,)
SIZES = [Size(length=length) for length in (1, 2, 31, 32, 33, 95, 96, 97, 128, 191, 192, 193)]
SIZES += [Size(1, length) for length in (1535, 1536, 1537, 3073)]
SIZES += [Size(5, length) for length in (287, 288, 289, 577)]
SIZES += [Size(batch, 97) for batch in (15, 16, 17, 33)]
SIZES += [Size(3, 481, walks=walks) for walks in (FORWARD, BACKWARD, (True, False), (False, False))]
SIZES += [Size(17, 100, walks=walks) for walks in (FORWARD, BACKWARD)]
SIZES += [Size(length=130, taps=taps) for taps in (1, 2, 7, 60, 97)]
SIZES += [Size(5, 290, taps=taps) for taps in (7, 60, 97)] + [Size(17, 98, taps=taps) for taps in (1, 4, 97)]
SIZES += [Size(1, 34, 2, 4, states) for states in (1, 4, 5, 16, 17, 256)]
SIZES += [Size(1, 98, outer, channels, rank=rank) for outer, channels, rank in ((10, 20, 1), (1, 1, 1), (5, 33, 9))]
SIZES += [Size(1, 40, 118, 236, 16, rank=8), Size(2, 100, 3, 1030, 1)]
CASES = [(size, i % 2 == 1) for i, size in enumerate(SIZES)]


def arguments_of(size: Size, masked: bool, dtype: torch.dtype) -> Arguments:
    return mamba_arguments(size, dtype) | ({"mask": random_mask(*size[:2])} if masked else {})


@cache
def expected(size: Size, masked: bool, without: tuple[str, ...] = ()) -> dict[str, Tensor]:
    """In float64, by the portable kernels."""
    arguments = arguments_of(size, masked, torch.float64)
    return results(TorchBackend(), "mamba", {n: x for n, x in arguments.items() if n not in without})


@pytest.mark.parametrize(("size", "masked"), CASES, ids=str)
def test_values(backend: CpuBackend, dtype: torch.dtype, size: Size, masked: bool) -> None:
    """The values to the last bit without gradients, when nothing is kept."""
    arguments = arguments_of(size, masked, dtype)
    found = results(backend, "mamba", arguments)
    assert_close(found, expected(size, masked), KERNELS)
    assert torch.equal(call(backend, "mamba", arguments)[0], found["first"])


@pytest.mark.parametrize("size", [Size(3, 1000, 8, 20, 8), Size(30, 200, 8, 20, 8), Size(1, 2400, 8, 20, 8)], ids=str)
def test_values_on_threads(backend: CpuBackend, dtype: torch.dtype, size: Size, threads: int) -> None:
    assert_close(results(backend, "mamba", arguments_of(size, True, dtype)), expected(size, True), KERNELS)


@pytest.mark.parametrize(
    "without", [("in_bias",), ("out_bias",), ("conv_bias.0",), ("in_bias", "out_bias", "conv_bias.0", "conv_bias.1")]
)
def test_values_without_biases(backend: CpuBackend, dtype: torch.dtype, without: tuple[str, ...]) -> None:
    size = Size(3, 98)
    arguments = {n: x for n, x in arguments_of(size, True, dtype).items() if n not in without}
    assert_close(results(backend, "mamba", arguments), expected(size, True, without), KERNELS)


def test_masked_ends(backend: CpuBackend, dtype: torch.dtype) -> None:
    """Whole tiles and a whole sequence masked."""
    size = Size(3, 300)
    mask = torch.arange(300).expand(3, 300) >= torch.tensor([[0], [130], [300]])
    found, wanted = (
        results(b, "mamba", mamba_arguments(size, t) | {"mask": mask})
        for b, t in ((backend, dtype), (TorchBackend(), torch.float64))
    )
    assert_close(found, wanted, KERNELS)


CELL = parts.Mamba(d_state=5, dt_min=0.05, dt_max=0.9, bias=True)
MIXERS = {
    "forward": CELL,
    "reverse": CELL.model_copy(update={"direction": "reverse"}),
    "both": parts.BiMamba(mamba=CELL),
    "untied": parts.BiMamba(mamba=CELL.model_copy(update={"bias": False}), tie="none"),
}


def case_of(mixer: Spec, isa: str, dtype: torch.dtype) -> Case:
    spec = parts.Model(embedding=parts.Embedding(d_model=6), mixers=[mixer])
    return Case(spec, Subject(CpuBackend(isa), str(dtype).removeprefix("torch.")))


@pytest.mark.parametrize("reads", MIXERS)
def test_mixers_against_the_reference(isa: str, dtype: torch.dtype, hold: Callable[..., None], reads: str) -> None:
    """Modules on this backend are that kernel, and give the values and gradients of the paper's formulas."""
    case = case_of(MIXERS[reads], isa, dtype)
    fused = [module.fused for module in case.model.modules() if hasattr(module, "fused")]
    assert fused == [case.subject.backend.mamba] * len(fused)
    x, mask = inputs.random_strand(0, 2, 98, 6), inputs.random_mask(0, 2, 98)
    hold(values.check_part_values, case, "mixers.0", x, mask)
    hold(values.check_part_gradients, case, "mixers.0", x[:, :34], mask[:, :34], seed=0)


@pytest.mark.parametrize("taps", [97, 98])
def test_more_taps_than_the_kernel_has(isa: str, dtype: torch.dtype, hold: Callable[..., None], taps: int) -> None:
    mixer = parts.BiMamba(mamba=CELL.model_copy(update={"d_conv": taps}))
    case = case_of(mixer, isa, dtype)
    assert (case.model.mixers[0].fwd.fused is None) == (taps == 98)
    hold(values.check_part_values, case, "mixers.0", inputs.random_strand(taps, 1, 100, 6))


def test_gradcheck(backend: CpuBackend) -> None:
    arguments = mamba_arguments(Size(2, 34, 2, 3, 2, 3, 1), torch.float64) | {"mask": random_mask(2, 34)}
    names = [n for n, x in arguments.items() if isinstance(x, Tensor) and x.dtype == torch.float64]

    def out(*tensors: Tensor) -> Tensor:
        return call(backend, "mamba", arguments | dict(zip(names, tensors, strict=True)))[0]

    variables = [arguments[n].requires_grad_() for n in names]
    assert torch.autograd.gradcheck(out, variables, fast_mode=True, rtol=1e-5)
