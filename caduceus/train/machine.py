"""What this machine computes with."""

from __future__ import annotations

import ctypes
import platform
from pathlib import Path

import torch

from caduceus.backends.registry import get_backend
from caduceus.interfaces import Backend

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Of malloc.h: free bytes from which memory is given back (-1: never), and most blocks that are the system's own."""


def device(accelerator: str = "auto") -> torch.device:
    """Where Lightning's ``accelerator`` puts a run on this machine; the CPU for one that is not here.

    >>> device("cpu")
    device(type='cpu')
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    meant = [kind for kind in present if present[kind] and accelerator in ("auto", "gpu", kind)]
    return torch.device(meant[0] if meant else "cpu")


def device_name(accelerator: str = "auto") -> str:
    """The same in words.

    >>> device_name("cpu")[:4]
    'CPU '
    """
    kind = device(accelerator).type
    if kind == "cuda":
        count = torch.cuda.device_count()
        return f"{count} x {torch.cuda.get_device_name(0)}" if count > 1 else torch.cuda.get_device_name(0)
    if kind == "mps":
        return f"Apple MPS ({platform.machine()})"
    return f"CPU ({platform.processor() or platform.machine()})"


def kernels(backend: str, accelerator: str) -> Backend:
    """The backend that a run computes with, where ``accelerator`` puts it."""
    return get_backend(backend, device=device(accelerator).type)


def instructions(backend: Backend, accelerator: str) -> str:
    """What the last bits of a result may depend on: the GPU, or the instruction sets of torch and of the kernels.

    >>> instructions(kernels("torch", "cpu"), "cpu") != ""
    True
    """
    if device(accelerator).type != "cpu":
        return device_name(accelerator)
    own = getattr(backend, "isa", None)
    return torch.backends.cpu.get_cpu_capability() + ("" if own is None else f", kernels {own.name}")


def processor() -> str:
    """The processor by its maker's name, where the system tells; else its architecture.

    >>> processor() != ""
    True
    """
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def threads() -> int:
    """Threads that torch computes with on the CPU."""
    return torch.get_num_threads()


def use_threads(count: int | None) -> None:
    """From now on, in this process; None changes nothing."""
    if count is not None:
        torch.set_num_threads(count)


def keep_freed_memory() -> None:
    """From now on, in this process: what one step of training frees is there for the next, instead of the system's.

    What a step keeps for its backward is hundreds of megabytes, which glibc gives back to the system once they are
    free, and gets again page by page, each cleared: 2 to 8 % of the processor's time for 8 x 1,024 tokens. The process
    stays as large as it was at most. With another C library nothing changes.
    """
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_TRIM_THRESHOLD, -1)
        mallopt(_MMAP_MAX, 0)


def cuda_version() -> str | None:
    """The CUDA version torch was built for, None for a CPU build."""
    return torch.version.cuda
