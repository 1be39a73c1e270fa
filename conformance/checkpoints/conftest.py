"""Each test that takes ``engine`` runs once for every backend and every dtype that has golden values."""

from __future__ import annotations

import pytest

import caduceus

_PRECISION = {"float64": "f64", "float32": "f32"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" not in metafunc.fixturenames:
        return
    present = [info.name for info in caduceus.available_backends() if info.available]
    backends = metafunc.config.getoption("--backend") or present
    engines = [(b, d, p) for b in backends for d, p in _PRECISION.items() if d in caduceus.get_backend(b).dtypes]
    metafunc.parametrize("engine", engines, ids=[f"{backend}-{dtype}" for backend, dtype, _ in engines])
