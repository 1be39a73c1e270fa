"""The CPU taken for a GPU: by torch as far as it is asked, by the backend, by the stand-ins.

As a pytest plugin (``-p caduceus.conformance.cuda.pretend``) for a whole process, or with monkeypatch's ``setattr``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from caduceus.backends.cuda import tensors
from caduceus.bench.devices import Cpu
from caduceus.conformance.cuda import stand_ins

CUDA, NAME = "12.8", "a GPU that is none"
MEMORY = 1 << 40
"""Bytes: so many that nothing here is too much."""


class Event:
    """A `torch.cuda.Event`: what was launched before it has ended when it is recorded."""

    def __init__(self, enable_timing: bool = False) -> None:
        self.at = float("nan")

    def record(self) -> None:
        self.at = time.perf_counter()

    def elapsed_time(self, end: Event) -> float:
        return 1e3 * (end.at - self.at)


def a_gpu(set_attribute: Callable[[Any, str, Any], None] = setattr) -> None:
    """torch says that it was built for CUDA and finds a GPU; tensors on the CPU pass for tensors on it."""
    torch_with_cuda(set_attribute)
    for name, stand_in in {
        "is_available": lambda: True,
        "get_device_name": lambda device=None: NAME,
        "Event": Event,
        "synchronize": lambda: None,
        "mem_get_info": lambda: (MEMORY, MEMORY),
        "set_per_process_memory_fraction": lambda fraction: None,
        "max_memory_allocated": Cpu().held,
        "empty_cache": lambda: None,
    }.items():
        set_attribute(torch.cuda, name, stand_in)
    set_attribute(tensors, "DEVICE", "cpu")
    set_attribute(stand_ins, "DEVICE", "cpu")


def torch_with_cuda(set_attribute: Callable[[Any, str, Any], None] = setattr) -> None:
    """torch says that it was built for CUDA."""
    set_attribute(torch.version, "cuda", CUDA)


def pytest_configure(config: pytest.Config) -> None:
    a_gpu()
