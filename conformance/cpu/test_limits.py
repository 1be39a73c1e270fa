"""The measured limits of the machine are there for each instruction set; how large they are is nobody's to promise."""

from __future__ import annotations

import math

import pytest

from caduceus.backends.cpu.library import LibraryUnusable
from caduceus.backends.cpu.limits import measure_limits


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("memory", [1, (1 << 22) + 1])
def test_every_limit_is_measured(isa: str, threads: int, memory: int) -> None:
    found = measure_limits(threads, seconds=0.01, memory=memory, isa=isa)
    assert (found.isa, found.threads) == (isa, threads)
    assert all(math.isfinite(rate) and rate > 0 for rate in (found.fma, found.exp, found.triad, found.read))


def test_an_instruction_set_that_cannot_run_is_refused() -> None:
    with pytest.raises(LibraryUnusable, match="instruction set 'mmx' is not one of"):
        measure_limits(1, isa="mmx")
