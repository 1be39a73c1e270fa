"""Both sides of every position have a say, tokens that are no bases behave, and files give a model back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from caduceus.alphabet import MASK, PAD, N
from caduceus.conformance import inputs
from caduceus.conformance.properties import directions, equivariance, weights
from caduceus.conformance.subjects import Case, answer

Hold = Callable[..., None]


@pytest.mark.models("reads_both_ways", "dna")
def test_outputs_depend_on_both_sides(case: Case, hold: Hold) -> None:
    hold(directions.check_both_sides, case, length=6)


@pytest.mark.models("equivariant", "dna")
@pytest.mark.parametrize("token", [N, MASK, PAD])
def test_tokens_that_are_their_own_complement(case: Case, hold: Hold, token: int) -> None:
    """They are tokens like any other: the square commutes, and without a mask they are read."""
    ids = inputs.random_bases(0, 2, 9)
    hold(equivariance.check_equivariance, case, np.where(inputs.random_mask(0, 2, 9), ids, token))
    nothing_else = np.full((2, 9), token)
    hold(equivariance.check_equivariance, case, nothing_else)
    assert np.abs(answer(case.model, nothing_else) - answer(case.model, ids)).max() > 0


def test_saved_and_loaded(case: Case, hold: Hold, tmp_path: Path) -> None:
    ids = inputs.random_ids(0, case.spec.space_in, 2, 9)
    hold(weights.check_saved, case, tmp_path / "model", "caduceus", case.backend, ids)


def test_spec_through_yaml(case: Case, hold: Hold, tmp_path: Path) -> None:
    assert weights.check_yaml(case.spec, tmp_path) == 0.0
