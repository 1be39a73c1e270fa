"""The backend on each instruction set; without compiled kernels the tests say so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from caduceus.backends.cpu import CpuBackend
from caduceus.backends.cpu.library import LibraryUnusable, targets


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "isa" not in metafunc.fixturenames:
        return
    try:
        names = [target.name for target in targets() if target.runs]
    except LibraryUnusable as error:
        names = [pytest.param(None, marks=pytest.mark.skip(reason=f"not run: {error}"))]
    metafunc.parametrize("isa", names)


@pytest.fixture
def backend(isa: str) -> CpuBackend:
    return CpuBackend(isa)


@pytest.fixture
def threads() -> Iterator[int]:
    """More than one thread; the number before is set again."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield 3
    torch.set_num_threads(before)
