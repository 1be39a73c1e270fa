"""The backend on each instruction set; without compiled kernels the tests say so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from caduceus.backends.cpu import CpuBackend
from caduceus.backends.cpu.library import LibraryUnusable, targets
from caduceus.conformance.cpu.examples import DTYPES


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``isa``: every instruction set of this processor; ``fastest``: one, for what does not depend on which."""
    for name in {"isa", "fastest"} & set(metafunc.fixturenames):
        metafunc.parametrize(name, _isas()[:1] if name == "fastest" else _isas(), indirect=name == "fastest")


def _isas() -> list[Any]:
    try:
        return [target.name for target in targets() if target.runs]
    except LibraryUnusable as error:
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"not run: {error}"))]


@pytest.fixture
def fastest(request: pytest.FixtureRequest) -> CpuBackend:
    return CpuBackend(request.param)


@pytest.fixture
def backend(isa: str) -> CpuBackend:
    return CpuBackend(isa)


@pytest.fixture(params=DTYPES.values(), ids=DTYPES)
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return request.param


@pytest.fixture
def threads() -> Iterator[int]:
    """More than one thread; the number before is set again."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield 3
    torch.set_num_threads(before)
