"""Masks in the reference: what is masked is as if it were not there, and gives exact zeros."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caduceus import parts, reference
from caduceus.alphabet import PAD
from caduceus.conformance.reference.examples import HEADS, MIXERS, example, ids_and_mask, model_spec, random_weights
from caduceus.reference import directional_derivative, part_function
from caduceus.reference.arrays import Array
from caduceus.symmetry import Strands, Track

padding = st.integers(0, 5)
seeds = st.integers(0, 2**32 - 1)
CLOSE: Any = {"rtol": 0, "atol": 1e-12}


KINDS = [("ps", mixers) for mixers in MIXERS] + [("ph", mixers) for mixers in MIXERS if mixers != "across"]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(("equivariance", "mixers"), KINDS)
@given(left=padding, right=padding, length=st.integers(1, 9), seed=seeds)
def test_padding_changes_nothing(
    mixers: str, head: str, equivariance: str, left: int, right: int, length: int, seed: int
) -> None:
    """Whatever its amount, side and content."""
    model = example(mixers, head, equivariance)
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 16, (2, left + length + right))
    mask = np.zeros(ids.shape, bool)
    mask[:, left : left + length] = True
    y, expected = model(ids, mask), model(ids[:, left : left + length])
    if isinstance(model.space_out, Strands):
        inside = np.stack([mask, mask[:, ::-1]], axis=1)
    elif isinstance(model.space_out, Track):
        inside = mask
    else:
        np.testing.assert_allclose(y, expected, **CLOSE)
        return
    np.testing.assert_allclose(y[inside], expected.reshape(-1, y.shape[-1]), **CLOSE)
    assert not y[~inside].any()


@pytest.mark.parametrize("pooling", ["mean", "max", "first", "last", "centre"])
@given(length=st.integers(1, 9), seed=seeds)
def test_pooling_sees_valid_positions_of_each_strand_in_its_own_order(pooling: str, length: int, seed: int) -> None:
    spec = model_spec().model_copy(update={"head": parts.VectorHead(invariant=2, pooling=pooling, bias=False)})
    model = reference.build(spec, random_weights(spec))
    ids, mask = ids_and_mask(length, seed)
    features, W = model.features(ids, mask), model.weights()["head.weight"]
    y = model(ids, mask)
    for b in range(len(ids)):
        strands = features[b, 0, mask[b]], features[b, 1, mask[b, ::-1]]
        middle = slice((mask[b].sum() - 1) // 2, mask[b].sum() // 2 + 1)
        pooled = [
            {
                "mean": s.mean(axis=0),
                "max": s.max(axis=0),
                "first": s[0],
                "last": s[-1],
                "centre": s[middle].mean(axis=0),
            }[pooling]
            for s in strands
        ]
        np.testing.assert_allclose(y[b], W @ (pooled[0] + pooled[1]) / 2, **CLOSE)


@pytest.mark.parametrize("pooling", ["mean", "max", "first", "last", "centre"])
def test_a_row_without_valid_positions_pools_to_zero(pooling: str) -> None:
    head = parts.VectorHead(invariant=1, signed=1, pooling=pooling)
    spec = model_spec().model_copy(update={"head": head})
    model = reference.build(spec, random_weights(spec))
    ids, mask = ids_and_mask(5, 0)
    mask[1] = False
    bias = model.weights()["head.bias"]
    np.testing.assert_array_equal(model(ids, mask)[1], [bias[0], 0.0])
    np.testing.assert_allclose(model(ids, mask)[0], model(ids[:1], mask[:1])[0], **CLOSE)


def test_pad_is_a_mask_only_when_asked() -> None:
    model = example()
    ids = np.array([[PAD, PAD, 7, 8, 11, 3, 9]])
    np.testing.assert_allclose(model(ids, "pad")[:, 2:], model(ids[:, 2:]), **CLOSE)
    np.testing.assert_array_equal(model(ids, "pad"), model(ids, ids != PAD))
    np.testing.assert_array_equal(model(ids), model(ids, np.ones(ids.shape, bool)))
    assert np.abs(model(ids)[:, 2:] - model(ids[:, 2:])).max() > 1e-3


@pytest.mark.parametrize("mixers", MIXERS)
def test_every_hidden_state_is_zero_where_masked(mixers: str) -> None:
    model = example(mixers, "features", norm=parts.Norm(kind="layer"))
    ids, mask = ids_and_mask(9, 5)
    for h in model.hidden_states(ids, mask):
        assert not h[~mask].any()
        assert h[mask].all()


@pytest.mark.parametrize("mixers", MIXERS)
def test_not_a_number_stays_behind_the_mask(mixers: str) -> None:
    """In the embedding of a masked token, and in what a mixer is given there."""
    model = example(mixers, "tracks")
    ids, mask = ids_and_mask(9, 5)
    ids = np.where(mask, np.where(ids == PAD, 7, ids), PAD)
    poisoned = model.weights()
    poisoned["embedding.weight"][PAD] = np.nan
    np.testing.assert_array_equal(reference.build(model.spec, poisoned)(ids, mask), model(ids, mask))
    mixer, weights = model.spec.bound_mixers()[0], model.weights()
    own = {n.removeprefix("mixers.0."): w for n, w in weights.items() if n.startswith("mixers.0.")}
    own = reference.resolve(mixer.weights(), own)
    x = np.random.default_rng(0).standard_normal((2, 9, 6))
    y = part_function(mixer)(own, np.where(mask[..., None], x, np.nan), mask)
    np.testing.assert_array_equal(y, part_function(mixer)(own, np.where(mask[..., None], x, 3.0), mask))
    assert not y[~mask].any()


def test_what_is_masked_has_no_gradient() -> None:
    model = example("across", "untied masked_lm")
    ids, mask = ids_and_mask(9, 5)
    ids = np.where(mask, np.where(ids == PAD, 7, ids), PAD)

    def f(weights: dict[str, Array]) -> Array:
        return reference.build(model.spec, weights)(ids, mask)

    row = np.zeros((16, 6))
    row[PAD] = 1.0
    assert not directional_derivative(f, model.weights(), {"embedding.weight": row}).any()
    assert directional_derivative(f, model.weights(), {"embedding.weight": np.ones((16, 6))}).any()
