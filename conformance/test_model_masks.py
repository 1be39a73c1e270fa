"""Masks: padding is as if it were not there, for every model that uses masks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caduceus.alphabet import PAD
from caduceus.conformance import inputs, strategies
from caduceus.conformance.properties import masks
from caduceus.conformance.subjects import Case

Hold = Callable[..., None]
amounts = st.integers(0, 9)


@pytest.mark.models("masked")
@strategies.FEW
@given(strategies.seeds, st.integers(1, 11), amounts, amounts)
def test_padding_changes_nothing(case: Case, hold: Hold, seed: int, length: int, left: int, right: int) -> None:
    """Any amount on either side, holding anything."""
    ids = inputs.random_ids(seed, case.spec.space_in, 2, length)
    content = inputs.random_ids(seed + 1, case.spec.space_in, 2, left + right)
    hold(masks.check_padding, case, ids, left, right, content)


@pytest.mark.models("masked")
@strategies.FEW
@given(strategies.seeds, st.integers(1, 11))
def test_masked_positions(case: Case, hold: Hold, seed: int, length: int) -> None:
    """Holes anywhere: what they hold does not matter, and their outputs are exactly 0."""
    ids, other = (inputs.random_ids(seed + i, case.spec.space_in, 2, length) for i in (0, 1))
    mask = inputs.random_mask(seed, 2, length)
    hold(masks.check_masked_ids, case, ids, mask, other)
    hold(masks.check_masked_outputs, case, ids, mask)


@pytest.mark.models("masked")
def test_rows_without_any_valid_position(case: Case, hold: Hold) -> None:
    hold(masks.check_empty_rows, case, inputs.random_ids(0, case.spec.space_in, 2, 6))


@pytest.mark.models("masked", "dna")
def test_mask_by_name(case: Case, hold: Hold) -> None:
    """Bases, N and [PAD]; the last row is nothing but [PAD]."""
    hold(masks.check_pad_mask, case, inputs.with_pads(0, 3, 9))


def test_mask_that_masks_nothing(case: Case, hold: Hold) -> None:
    hold(masks.check_full_mask, case, inputs.random_ids(0, case.spec.space_in, 2, 9))


@pytest.mark.models("masked", "mixing")
@strategies.FEW
@given(strategies.seeds, st.integers(1, 9), amounts, amounts)
def test_mixer_does_not_see_what_is_masked(
    case: Case, hold: Hold, seed: int, length: int, left: int, right: int
) -> None:
    """NaN included."""
    x = inputs.random_strand(seed, 2, length, case.spec.channels)
    hold(masks.check_mixer_content, case, x, inputs.random_mask(seed, 2, length))
    for content in (0.0, 1e3, float("nan")):
        hold(masks.check_mixer_padding, case, x, left, right, content)


@pytest.mark.models("masked", "mixing")
@strategies.FEW
@given(strategies.seeds, st.integers(1, 9))
def test_gradients_where_masked(learning: Case, hold: Hold, seed: int, length: int) -> None:
    x = inputs.random_strand(seed, 2, length, learning.spec.channels)
    hold(masks.check_mixer_gradients_where_masked, learning, x, inputs.random_mask(seed, 2, length), seed)


@pytest.mark.models("masked", "embedding", "dna")
def test_gradients_of_tokens_that_are_only_masked(learning: Case, hold: Hold) -> None:
    ids, mask = inputs.random_bases(0, 2, 9), inputs.random_mask(0, 2, 9)
    hold(masks.check_masked_token_gradients, learning, ids, mask, filler=PAD, seed=0)
