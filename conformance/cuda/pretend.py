"""The CPU taken for a GPU: by torch as far as it is asked, by the backend, by the stand-ins.

As a pytest plugin (``-p caduceus.conformance.cuda.pretend``) for a whole process, or with monkeypatch's ``setattr``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from caduceus.backends.cuda import tensors
from caduceus.conformance.cuda import stand_ins

CUDA, NAME = "12.8", "a GPU that is none"


def a_gpu(set_attribute: Callable[[Any, str, Any], None] = setattr) -> None:
    """torch says that it was built for CUDA and finds a GPU; tensors on the CPU pass for tensors on it."""
    torch_with_cuda(set_attribute)
    set_attribute(torch.cuda, "is_available", lambda: True)
    set_attribute(torch.cuda, "get_device_name", lambda device=None: NAME)
    set_attribute(tensors, "DEVICE", "cpu")
    set_attribute(stand_ins, "DEVICE", "cpu")


def torch_with_cuda(set_attribute: Callable[[Any, str, Any], None] = setattr) -> None:
    """torch says that it was built for CUDA."""
    set_attribute(torch.version, "cuda", CUDA)


def pytest_configure(config: pytest.Config) -> None:
    a_gpu()
