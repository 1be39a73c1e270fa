"""The portable scan across the borders of its chunks; only the backend `torch` has them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from caduceus.conformance import inputs
from caduceus.conformance.catalogue import CATALOGUE
from caduceus.conformance.properties import chunks, equivariance, scan, values
from caduceus.conformance.subjects import Case, Subject

Hold = Callable[..., None]
SIZES = (1, 2000, 10_000)


@pytest.fixture
def portable(candidate: Subject) -> Subject:
    if candidate.backend.name != "torch":
        pytest.skip(f"not applicable: backend {candidate.backend.name} has no chunks of the portable scan")
    return candidate


@pytest.mark.parametrize("length", [1, 7, 8, 9, 15, 16, 17, 40])
def test_size_of_a_chunk_does_not_matter(portable: Subject, hold: Hold, length: int) -> None:
    for size in SIZES:
        for reverse in (False, True):
            arguments = inputs.scan_arguments(size, length=length, channels=5, reverse=reverse, masked=True)
            hold(chunks.check_chunk_size, portable, arguments, size)
            hold(chunks.check_chunk_size_in_gradients, portable, arguments, size, seed=0)


def test_model_in_small_chunks(portable: Subject, hold: Hold) -> None:
    case = Case(CATALOGUE["ps-masked_lm"], portable)
    ids, mask = inputs.random_ids(0, case.spec.space_in, 2, 25), inputs.random_mask(0, 2, 25)
    with chunks.chunk_bytes(1):
        hold(values.check_model_values, case, ids, mask)
        hold(values.check_model_gradients, case, ids, mask, seed=0, together=True)
        hold(equivariance.check_equivariance, case, ids, mask)


@pytest.mark.parametrize("length", [8, 9, 17, 24])
def test_values_and_gradients_in_small_chunks(portable: Subject, hold: Hold, length: int) -> None:
    with chunks.chunk_bytes(1):
        for reverse in (False, True):
            arguments = inputs.scan_arguments(length, length=length, reverse=reverse)
            hold(scan.check_scan_values, portable, arguments)
            hold(scan.check_scan_gradients, portable, arguments, seed=0)
            hold(scan.check_scan_split, portable, arguments, cut=length // 2)
