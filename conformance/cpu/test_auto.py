"""`auto` takes the compiled backend where it computes, and says so when it is missing."""

from __future__ import annotations

import logging

import pytest

import caduceus
from caduceus.backends import registry


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_compiled_backend_is_taken_on_the_cpu(dtype: str) -> None:
    assert caduceus.get_backend("auto", dtype=dtype).name == "cpu"


@pytest.mark.parametrize(("device", "dtype"), [("cuda", "float32"), ("mps", "float32"), ("cpu", "bfloat16")])
def test_it_is_not_taken_where_it_does_not_compute(device: str, dtype: str) -> None:
    assert caduceus.get_backend("auto", device=device, dtype=dtype).name == "torch"


def test_without_it_auto_is_the_portable_one_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gone = registry._BACKENDS["cpu"]._replace(probe=lambda: "no compiler was found")
    monkeypatch.setitem(registry._BACKENDS, "cpu", gone)
    registry._fastest.cache_clear()
    try:
        with caplog.at_level(logging.WARNING, logger="caduceus"):
            assert [caduceus.get_backend("auto").name for _ in range(2)] == ["torch", "torch"]
        assert [record.getMessage() for record in caplog.records] == [
            "backend auto: torch, the portable one, since cpu cannot run here: no compiler was found"
        ]
    finally:
        registry._fastest.cache_clear()
