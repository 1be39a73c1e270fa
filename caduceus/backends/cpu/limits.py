"""What this processor does at most, measured with the instructions of the kernels (`csrc/limits.h`)."""

from __future__ import annotations

from typing import NamedTuple

from caduceus.backends.cpu.library import choose_target, library

MEMORY = 192 << 20
"""Bytes that the memory limits go through: more than any cache should hold."""


class Limits(NamedTuple):
    """Rates of float32 work on ``threads`` threads at once, with the instructions of ``isa``.

    Attributes:
        fma: FLOP a second, a multiply-add being two.
        exp: exponentials a second.
        triad, read: bytes a second of ``a = b + s c``, all three arrays counted, and of reading one array.
    """

    isa: str
    threads: int
    fma: float
    exp: float
    triad: float
    read: float


def measure_limits(threads: int, *, seconds: float = 0.5, memory: int = MEMORY, isa: str | None = None) -> Limits:
    """Measure each limit for about ``seconds``; the best of many short passes counts.

    Args:
        memory: bytes of the arrays for ``triad`` and ``read``.
        isa: the instruction set; as `CpuBackend` takes it.

    Raises:
        caduceus.backends.cpu.library.LibraryUnusable: the compiled library is absent, or has no such instruction set.
    """
    target = choose_target(isa)
    measure = library().caduceus_limit
    # In the order of the enumeration in `csrc/abi.h`.
    rates = [measure(target.number, which, threads, memory, seconds) for which in range(4)]
    return Limits(target.name, threads, *rates)
