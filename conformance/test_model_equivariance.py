"""model(rc x) = rc model(x), exactly, for every model that promises it; and what follows from it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caduceus import parts
from caduceus.conformance import inputs, strategies
from caduceus.conformance.properties import equivariance
from caduceus.conformance.subjects import Case, answer, array

Hold = Callable[..., None]


@pytest.mark.models("equivariant")
@strategies.FEW
@given(strategies.seeds, strategies.batches, st.integers(1, 40))
def test_square_commutes(case: Case, hold: Hold, seed: int, batch: int, length: int) -> None:
    hold(equivariance.check_equivariance, case, inputs.random_ids(seed, case.spec.space_in, batch, length))


@pytest.mark.models("equivariant")
def test_square_commutes_at_greater_lengths(case: Case, hold: Hold) -> None:
    hold(equivariance.check_equivariance_at, case, [64, 131, 257])


@pytest.mark.models("equivariant", "masked")
@strategies.FEW
@given(strategies.seeds, strategies.batches, st.integers(1, 20))
def test_square_commutes_under_masks(case: Case, hold: Hold, seed: int, batch: int, length: int) -> None:
    hold(equivariance.check_masked_equivariance, case, batch, length, seed)


@pytest.mark.models("equivariant_in_training")
def test_square_commutes_in_training_mode(case: Case, hold: Hold) -> None:
    ids = inputs.random_ids(0, case.spec.space_in, 2, 11)
    case.model.train()
    try:
        if not np.array_equal(answer(case.model, ids), answer(case.model, ids), equal_nan=True):
            pytest.skip("not applicable: in training it draws at random (dropout?): two calls on one input differ")
        hold(equivariance.check_equivariance, case, ids)
    finally:
        case.model.eval()


@pytest.mark.models("with_strands")
@strategies.FEW
@given(strategies.seeds, st.integers(1, 20))
def test_features_exchange_strands(case: Case, hold: Hold, seed: int, length: int) -> None:
    hold(equivariance.check_feature_equivariance, case, inputs.random_ids(seed, case.spec.space_in, 2, length))


@pytest.mark.models("equivariant")
def test_gradients_of_an_invariant_loss(learning: Case, hold: Hold) -> None:
    hold(equivariance.check_gradient_equivariance, learning, inputs.random_ids(0, learning.spec.space_in, 2, 9), seed=0)


@pytest.mark.models("equivariant", "plain")
def test_average_of_an_equivariant_model_is_itself(case: Case, hold: Hold) -> None:
    weights = {f"model.{name}": array(value) for name, value in case.model.weights().items()}
    average = case.other(parts.Symmetrize(model=case.spec), weights)
    ids = inputs.random_ids(0, case.spec.space_in, 2, 9)
    hold(equivariance.check_average_is_itself, case, average, ids)


@pytest.mark.models("with_plain_twin")
def test_strands_are_the_plain_network_on_each(case: Case, hold: Hold) -> None:
    plain = case.spec.model_copy(update={"equivariance": "ph"})
    twin = case.other(plain, case.model.weights())
    ids = inputs.random_ids(0, case.spec.space_in, 2, 9)
    hold(equivariance.check_strands_are_plain, case, twin, ids)
    if plain.head is not None:
        hold(equivariance.check_strands_are_joined, case, twin, ids)
