"""Training keeps the memory of one step for the next."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

STEPS = """
import resource, sys, torch
from caduceus.train.machine import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(1 << 24).sum()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if sys.argv[1:] == ["kept"]:
    keep_freed_memory()
print([faults() for _ in range(8)][-1])
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not applicable: another C library than glibc")
def test_freed_memory_is_not_asked_for_again() -> None:
    """Pages that the system must hand out for 64 MB, the eighth time: in pages of 2 MB they would be 32."""
    kept, returned = (
        int(subprocess.run([sys.executable, "-c", STEPS, *option], capture_output=True, check=True).stdout)
        for option in (["kept"], [])
    )
    assert kept < 8 < returned
