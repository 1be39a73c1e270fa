"""Calls of the kernels that no memory suffices for."""

from __future__ import annotations

from collections.abc import Iterator
from ctypes import Structure, byref

from caduceus.backends.cpu import CpuBackend
from caduceus.backends.cpu.library import (
    Conv,
    ConvGradients,
    Mamba,
    MambaGradients,
    Norm,
    NormGradients,
    Scan,
    ScanGradients,
    library,
)

MANY = 1 << 45
"""More numbers than any address space holds."""


def _calls(threads: int) -> Iterator[tuple[str, Structure]]:
    """Kernels that work in memory of their own, so not the norm forward; without arrays, which nobody could have."""
    sizes = {"threads": threads, "batch": 1, "length": 1, "channels": 8}
    scan, conv = Scan(**sizes, states=MANY), Conv(**sizes, taps=MANY)
    mamba = Mamba(**sizes | {"length": MANY}, outer=4, states=2, taps=4, rank=1, directions=2)
    norm = Norm(threads=threads, rows=threads, channels=MANY)
    yield from (("scan_forward", scan), ("conv_forward", conv), ("mamba_forward", mamba))
    yield "scan_backward", ScanGradients(scan)
    yield "conv_backward", ConvGradients(conv, chunks=1)
    yield "norm_backward", NormGradients(norm, parts=threads)
    yield "mamba_backward", MambaGradients(mamba)


def refusals(backend: CpuBackend, threads: int) -> Iterator[bool]:
    """Whether each is refused, by its name and with what it needs."""
    for name, call in _calls(threads):
        try:
            getattr(library(), f"caduceus_{name}")(backend.isa.number, byref(call))
        except RuntimeError as error:
            start, _, needed = str(error).partition(f"can't allocate memory: {name} needs ")
            number, _, end = needed.partition(" ")
            yield (start, end) == ("backend 'cpu' ", "bytes to work in") and int(number.replace(",", "")) >= 4 * MANY
        else:
            yield False
