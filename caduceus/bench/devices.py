"""What a benchmark must know of a kind of device: how a call is timed there, and what memory is.

A further device is a further line of `DEVICES`, and contestants that compute there.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

import torch

from caduceus.backends.cuda import tensors
from caduceus.backends.cuda.probe import gpu_problem

Call = Callable[[], Any]
_MARGIN = 0.9
"""Of free memory that may be asked for: fragments and what libraries keep for themselves take some."""


class Device(Protocol):
    """A kind of device. What it says of memory is of the process that asks."""

    @property
    def torch_type(self) -> str:
        """The torch device type that tensors are made on."""
        ...

    def lacks(self) -> str | None:
        """Why nothing can be timed on it here; None if it can."""
        ...

    def time(self, call: Call) -> float:
        """Call once; seconds until all that it started has ended."""
        ...

    def free(self) -> int:
        """Bytes that a call may take."""
        ...

    def limit(self, memory: int) -> None:
        """From now on fail, and do no harm to others, where this process needs much more than so many bytes."""
        ...

    def held(self) -> int:
        """Bytes that this process has held at most."""
        ...

    def release(self) -> None:
        """Leave to other processes what is kept for later calls."""
        ...


class Cpu:
    """Wall time: what a call starts has ended when it returns. Memory is what is resident."""

    torch_type = "cpu"

    def lacks(self) -> str | None:
        return None

    def time(self, call: Call) -> float:
        begin = time.perf_counter()
        call()
        return time.perf_counter() - begin

    def free(self) -> int:
        available = "SC_AVPHYS_PAGES" if "SC_AVPHYS_PAGES" in os.sysconf_names else "SC_PHYS_PAGES"
        return int(_MARGIN * os.sysconf(available) * os.sysconf("SC_PAGE_SIZE"))

    def limit(self, memory: int) -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (memory + (2 << 30), resource.RLIM_INFINITY))

    def held(self) -> int:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

    def release(self) -> None:
        """A process gives back what it frees."""


class Cuda:
    """Time between two events, of which the second waits for all that was launched between them. Memory is what
    torch's allocator has given out."""

    @property
    def torch_type(self) -> str:
        return tensors.DEVICE

    def lacks(self) -> str | None:
        return gpu_problem()

    def time(self, call: Call) -> float:
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        begin.record()
        call()
        end.record()
        torch.cuda.synchronize()
        return begin.elapsed_time(end) / 1e3

    def free(self) -> int:
        self.release()
        return int(_MARGIN * torch.cuda.mem_get_info()[0])

    def limit(self, memory: int) -> None:
        whole = torch.cuda.mem_get_info()[1]
        torch.cuda.set_per_process_memory_fraction(min(1.0, memory / whole))

    def held(self) -> int:
        return torch.cuda.max_memory_allocated()

    def release(self) -> None:
        torch.cuda.empty_cache()


DEVICES: dict[str, Device] = {"cpu": Cpu(), "cuda": Cuda()}
"""Kind of device, as a recipe names it: what to know of it."""


def copy_rate(device: str, memory: int, seconds: float) -> float:
    """Bytes a second, read and written, of copying tensors of so many bytes for so long: the best pass."""
    at = DEVICES[device]
    source = torch.ones(memory, dtype=torch.uint8, device=at.torch_type)
    target = torch.empty_like(source)
    best, spent = float("inf"), 0.0
    while spent < seconds:
        took = at.time(lambda: target.copy_(source))
        best, spent = min(best, took), spent + took
    return 2 * memory / best
