"""Every model gives the values and the gradients of the reference with the same weights."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caduceus.conformance import inputs, strategies
from caduceus.conformance.properties import batches, slopes, values
from caduceus.conformance.subjects import Case

Hold = Callable[..., None]


@strategies.FEW
@given(strategies.seeds, strategies.batches, strategies.lengths)
def test_values(compared: Case, hold: Hold, seed: int, batch: int, length: int) -> None:
    hold(values.check_model_values, compared, inputs.random_ids(seed, compared.spec.space_in, batch, length))


@pytest.mark.models("masked")
@strategies.FEW
@given(strategies.seeds, st.integers(1, 12))
def test_values_under_masks(compared: Case, hold: Hold, seed: int, length: int) -> None:
    ids, mask = inputs.random_ids(seed, compared.spec.space_in, 2, length), inputs.random_mask(seed, 2, length)
    hold(values.check_model_values, compared, ids, mask)


def test_gradients_by_each_weight(compared: Case, hold: Hold) -> None:
    ids = inputs.random_ids(1, compared.spec.space_in, 2, 7)
    hold(values.check_model_gradients, compared, ids, None, seed=0)


@pytest.mark.models("masked")
def test_gradients_under_a_mask(compared: Case, hold: Hold) -> None:
    ids, mask = inputs.random_ids(2, compared.spec.space_in, 2, 7), inputs.random_mask(2, 2, 7)
    hold(values.check_model_gradients, compared, ids, mask, seed=0, together=True)


def test_gradients_are_slopes(sloped: Case, hold: Hold) -> None:
    hold(slopes.check_slopes, sloped, inputs.random_ids(1, sloped.spec.space_in, 2, 7), None, seed=0)


@pytest.mark.models("masked")
def test_gradients_are_slopes_under_a_mask(sloped: Case, hold: Hold) -> None:
    ids, mask = inputs.random_ids(2, sloped.spec.space_in, 2, 7), inputs.random_mask(2, 2, 7)
    hold(slopes.check_slopes, sloped, ids, mask, seed=0)


@strategies.FEW
@given(strategies.seeds, st.integers(1, 12))
def test_row_alone_is_the_row_in_its_batch(case: Case, hold: Hold, seed: int, length: int) -> None:
    ids = inputs.random_ids(seed, case.spec.space_in, 3, length)
    hold(batches.check_rows, case, ids)
    hold(batches.check_other_rows, case, ids, ids[::-1])


def test_same_answer_twice(case: Case, hold: Hold) -> None:
    hold(batches.check_repeats, case, inputs.random_ids(0, case.spec.space_in, 2, 9))
