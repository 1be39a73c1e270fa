"""Each test that takes ``engine`` runs once for every backend and every dtype that has golden values."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

import caduceus
from caduceus.conformance.under_test import device_of

_PRECISION = {"float64": "f64", "float32": "f32"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" not in metafunc.fixturenames:
        return
    present = [info.name for info in caduceus.available_backends() if info.available]
    backends = metafunc.config.getoption("--backend") or present
    engines = []
    for name in backends:
        backend = caduceus.get_backend(name)
        where = device_of(metafunc.config, backend)
        engines += [(name, dtype, where, key) for dtype, key in _PRECISION.items() if dtype in backend.dtypes]
    metafunc.parametrize("engine", engines, ids=[f"{backend}-{dtype}" for backend, dtype, *_ in engines])


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Golden models are so small that threads cost more than they bring."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
