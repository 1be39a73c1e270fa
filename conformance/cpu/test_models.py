"""Whole models on every instruction set: the authors' numbers, and the commuting square to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from caduceus.backends.cpu import CpuBackend
from caduceus.conformance.catalogue import CATALOGUE
from caduceus.conformance.properties.equivariance import check_equivariance_at, check_masked_equivariance
from caduceus.conformance.properties.golden import CASES, check_golden_gradients, check_golden_values
from caduceus.conformance.subjects import Case, Subject

Hold = Callable[..., None]
LENGTHS = (1, 2, 3, 31, 33, 96, 97, 200)


@pytest.fixture
def on_isa(backend: CpuBackend, dtype: torch.dtype) -> Subject:
    return Subject(backend, str(dtype).removeprefix("torch."))


@pytest.mark.parametrize("name", CASES)
def test_golden_vectors(on_isa: Subject, hold: Hold, name: str, tmp_path: Path) -> None:
    hold(check_golden_values, on_isa, name, tmp_path)
    hold(check_golden_gradients, on_isa, name, tmp_path)


@pytest.mark.parametrize("name", ["ps-masked_lm", "ps-masked_lm-untied", "ps-one_way", "ps-tracks", "ps-cross_strand"])
def test_equivariance(on_isa: Subject, hold: Hold, threads: int, name: str) -> None:
    case = Case(CATALOGUE[name], on_isa)
    hold(check_equivariance_at, case, LENGTHS, batch=2)
    hold(check_masked_equivariance, case, batch=2, length=200, seed=0)
