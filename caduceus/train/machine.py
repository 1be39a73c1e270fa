"""What this machine computes with."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

from caduceus.backends.registry import get_backend
from caduceus.interfaces import Backend


def device_name() -> str:
    """The device that ``accelerator: auto`` takes, in words.

    >>> device_name() != ""
    True
    """
    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        return f"{count} x {torch.cuda.get_device_name(0)}" if count > 1 else torch.cuda.get_device_name(0)
    if torch.backends.mps.is_available():
        return f"Apple MPS ({platform.machine()})"
    return f"CPU ({platform.processor() or platform.machine()})"


def device() -> torch.device:
    """The same, as torch names it."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def kernels(backend: str, accelerator: str) -> Backend:
    """The backend that a run computes with, where Lightning's ``accelerator`` puts it."""
    on_cpu = accelerator == "cpu" or device().type == "cpu"
    return get_backend(backend, device="cpu" if on_cpu else device().type)


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


def cuda_version() -> str | None:
    """The CUDA version torch was built for, None for a CPU build."""
    return torch.version.cuda
