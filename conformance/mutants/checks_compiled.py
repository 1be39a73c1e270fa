"""Checks of the compiled kernels, at sizes of several tiles, chunks and blocks: the portable backend's values and
gradients, one by one and on threads, carried states, masks, rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from caduceus.backends.cpu import CpuBackend, tensors
from caduceus.conformance import inputs
from caduceus.conformance.cpu import examples, nan
from caduceus.conformance.cpu.examples import Arguments
from caduceus.conformance.cpu.excess import refusals
from caduceus.conformance.cpu.mamba import Size, mamba_arguments
from caduceus.conformance.mutants.check import TORCH, Check, holds
from caduceus.conformance.mutants.compiled import ISA
from caduceus.conformance.properties import conv, scan
from caduceus.conformance.subjects import Subject

KERNELS = {"selective_scan": "scan", "causal_conv": "convolution", "add_norm": "norm", "mamba": "Mamba"}
LENGTH = 70
"""Three tiles of the scan, the last one partial."""
MAMBAS = (
    Size(2, 200, 3, 9, 5),  # several tiles
    Size(17, 98, 4, 5, 3, taps=7),  # two blocks of sequences, of two chunks each, the last shorter than the taps
    Size(1, 100, 4, 33, 2, walks=(True,)),  # several groups of channels, on threads
)
FEW = {"selective_scan": 3, "causal_conv": 3, "add_norm": 1, "mamba": 5}
"""How many kernels' errors each may add up, in float32, of sums that almost cancel."""


def _backend() -> CpuBackend:
    return CpuBackend(ISA)


def _in(dtype: torch.dtype, arguments: Arguments) -> Arguments:
    return {n: x.to(dtype) if torch.is_tensor(x) and x.is_floating_point() else x for n, x in arguments.items()}


def _scans() -> Iterator[Arguments]:
    for reverse in (False, True):
        mask = examples.random_mask(2, LENGTH) if reverse else None
        yield examples.scan_arguments(2, LENGTH, 5, 6) | {"reverse": reverse, "mask": mask}
    bare = examples.scan_arguments(1, 33, 33, 9) | {"dt_softplus": False, "dt_bias": None, "z": None, "state": None}
    yield bare | {"dt": 0.1 * bare["dt"], "mask": examples.random_mask(1, 33)}


def _convolutions() -> Iterator[Arguments]:
    for reverse, taps, activation in ((False, 4, "silu"), (True, 4, "silu"), (True, 3, None)):
        mask = examples.random_mask(1, 200) if reverse else None
        yield examples.conv_arguments(1, 200, 5, taps) | {"reverse": reverse, "mask": mask, "activation": activation}


def _norms() -> Iterator[Arguments]:
    for kind in ("rms", "layer"):
        yield examples.norm_arguments(200, 7) | {"kind": kind, "eps": 0.1}


def _mambas() -> Iterator[Arguments]:
    for i, size in enumerate(MAMBAS):
        yield mamba_arguments(size) | {"mask": examples.random_mask(*size[:2]) if i % 2 == 0 else None}


_SOURCES = {"selective_scan": _scans, "causal_conv": _convolutions, "add_norm": _norms, "mamba": _mambas}


@cache
def _examples(kernel: str) -> list[tuple[Arguments, dict[str, Tensor]]]:
    """Arguments in float32, and what the portable backend gives for them in float64."""
    return [(a, examples.results(TORCH.backend, kernel, _in(torch.float64, a))) for a in _SOURCES[kernel]()]


def _close(kernel: str, found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return all(e <= FEW[kernel] for e in examples.errors(found, {n: expected[n] for n in found}).values())


def values(kernel: str) -> Iterator[bool]:
    """Without gradients, when nothing is kept for a backward."""
    for arguments, expected in _examples(kernel):
        for dtype in examples.DTYPES.values():
            with torch.no_grad():
                outputs = examples.call(_backend(), kernel, _in(dtype, arguments))
            yield _close(kernel, dict(zip(("first", "second"), outputs, strict=False)), expected)


def gradients(kernel: str) -> Iterator[bool]:
    """And the values that come with them."""
    for arguments, expected in _examples(kernel):
        for dtype in examples.DTYPES.values():
            yield _close(kernel, examples.results(_backend(), kernel, _in(dtype, arguments)), expected)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """However small the work."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with patch.object(tensors, "PARALLEL_WORK", 0):
            yield
    finally:
        torch.set_num_threads(before)


def on_threads() -> Iterator[bool]:
    """Values and gradients in parts, and values that do not show it."""
    for kernel in KERNELS:
        for arguments, expected in _examples(kernel):
            alone = examples.results(_backend(), kernel, arguments)
            with _threads(3):
                found = examples.results(_backend(), kernel, arguments)
            yield _close(kernel, found, expected)
            yield all(torch.equal(found[n], alone[n]) for n in ("first", "second") if n in found)


def _subjects() -> Iterator[Subject]:
    yield from (Subject(_backend(), dtype) for dtype in examples.DTYPES)


def splits() -> Iterator[bool]:
    for subject in _subjects():
        for reverse in (False, True):
            arguments = inputs.scan_arguments(0, length=LENGTH, channels=5, reverse=reverse)
            yield holds(scan.check_scan_split, subject, arguments, cut=33)
            yield holds(scan.check_scan_reverse, subject, arguments)
            arguments = inputs.conv_arguments(0, length=LENGTH, channels=5, reverse=reverse)
            yield holds(conv.check_conv_split, subject, arguments, cut=LENGTH - 2)
            yield holds(conv.check_conv_reverse, subject, arguments)


def masks() -> Iterator[bool]:
    valid = inputs.random_mask(0, 1, LENGTH)[0]
    for subject in _subjects():
        arguments = inputs.scan_arguments(0, length=LENGTH, channels=5)
        yield holds(scan.check_scan_masked_steps, subject, arguments, valid)
        yield holds(scan.check_scan_masked_state, subject, arguments)
        yield holds(scan.check_scan_masked_gradients, subject, arguments | {"mask": valid[None].repeat(2, 0)}, seed=0)
        arguments = inputs.conv_arguments(0, length=LENGTH, channels=5, masked=True)
        yield holds(conv.check_conv_masked_content, subject, arguments)
        yield holds(conv.check_conv_masked_gradients, subject, arguments, seed=0)


def masked_mamba() -> Iterator[bool]:
    """NaN where masked comes out nowhere."""
    size = Size(2, 130)
    mask = examples.random_mask(*size[:2])
    clean = mamba_arguments(size) | {"mask": mask}
    found = examples.results(_backend(), "mamba", clean | {"h": clean["h"].masked_fill(~mask[..., None], float("nan"))})
    expected = examples.results(_backend(), "mamba", clean)
    yield all(torch.equal(found[n], expected[n]) for n in expected)
    yield not any(bool(found[n][~mask].any()) for n in ("first", "dh"))


def softplus() -> Iterator[bool]:
    for subject in _subjects():
        yield holds(scan.check_softplus_above, subject)
        yield holds(scan.check_softplus_below, subject)


def extreme_steps() -> Iterator[bool]:
    """exp(delta A) that underflows, or is 1 to the last bit."""
    arguments = inputs.scan_arguments(1, channels=5, softplus=False)
    for subject in _subjects():
        for scale in (1e-12, 30.0, 1e3):
            steps = {"dt": scale * np.abs(arguments["dt"]), "dt_bias": None}
            yield holds(scan.check_scan_values, subject, arguments | steps)


def after_nan() -> Iterator[bool]:
    for reverse in (False, True):
        yield from nan.survives_late_nan(_backend(), torch.float32, reverse)
    for bits in nan.BITS.values():
        yield from nan.survives_nan_rate(_backend(), bits)


def lacking_memory() -> Iterator[bool]:
    for threads in (1, 3):
        yield from refusals(_backend(), threads)


def rows() -> Iterator[bool]:
    """A sequence of a batch by itself, to the last bit, with gradients or without."""
    arguments = mamba_arguments(Size(18, 98, 4, 5)) | {"mask": examples.random_mask(18, 98)}
    whole = examples.results(_backend(), "mamba", arguments)["first"]
    for row in (0, 17):
        alone = {n: x[row : row + 1] if n in ("h", "mask") else x for n, x in arguments.items()}
        with torch.no_grad():
            yield torch.equal(examples.call(_backend(), "mamba", alone)[0][0], whole[row])


def _of_kernels(what: str, check: Callable[[str], Iterator[bool]]) -> dict[str, Check]:
    return {f"compiled {name} {what}": partial(check, kernel) for kernel, name in KERNELS.items()}


CHECKS: dict[str, Check] = {
    **_of_kernels("values", values),
    **_of_kernels("gradients", gradients),
    "compiled kernels on threads": on_threads,
    "compiled splits": splits,
    "compiled masks": masks,
    "compiled Mamba masks": masked_mamba,
    "compiled softplus": softplus,
    "compiled extreme steps": extreme_steps,
    "compiled NaN": after_nan,
    "compiled memory": lacking_memory,
    "compiled rows": rows,
}
