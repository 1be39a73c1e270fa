"""Mixers, heads and models of every kind, as Hypothesis draws them, on every backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from caduceus import parts
from caduceus.conformance import inputs, strategies
from caduceus.conformance.properties import directions, equivariance, masks, values
from caduceus.conformance.subjects import Case, Subject
from caduceus.spec import Spec

Hold = Callable[..., None]


def around(mixer: Spec, equivariance: str = "none", d_model: int = 5) -> parts.Model:
    """A model of one mixer, without a head."""
    return parts.Model(equivariance=equivariance, embedding=parts.Embedding(d_model=d_model), mixers=[mixer])


@given(strategies.mixers, strategies.seeds, strategies.lengths, st.booleans())
def test_mixer(candidate: Subject, hold: Hold, mixer: Spec, seed: int, length: int, masked: bool) -> None:
    case = Case(around(mixer), candidate, seed)
    x, mask = inputs.random_strand(seed, 2, length, 5), inputs.random_mask(seed, 2, length)
    hold(values.check_part_values, case, "mixers.0", x, mask if masked else None)


@given(strategies.mixers, strategies.seeds, st.integers(1, 6), st.booleans())
def test_mixer_gradients(candidate: Subject, hold: Hold, mixer: Spec, seed: int, length: int, masked: bool) -> None:
    case = Case(around(mixer), candidate, seed)
    x, mask = inputs.random_strand(seed, 2, length, 5), inputs.random_mask(seed, 2, length)
    hold(values.check_part_gradients, case, "mixers.0", x, mask if masked else None, seed)


@given(strategies.mixers, strategies.seeds, st.integers(1, 9), st.integers(0, 5), st.integers(0, 5))
def test_mixer_masks(subject: Subject, hold: Hold, mixer: Spec, seed: int, length: int, left: int, right: int) -> None:
    case, x = Case(around(mixer), subject, seed), inputs.random_strand(seed, 2, length, 5)
    hold(masks.check_mixer_padding, case, x, left, right, float("nan"))
    hold(masks.check_mixer_content, case, x, inputs.random_mask(seed, 2, length))


@given(strategies.bimambas, strategies.seeds, strategies.lengths, st.booleans())
def test_directions_exchanged(subject: Subject, hold: Hold, mixer: Spec, seed: int, length: int, masked: bool) -> None:
    case = Case(around(mixer), subject, seed)
    exchanged = case.other(case.spec, directions.exchange(case.model.weights()))
    x, mask = inputs.random_strand(seed, 2, length, 5), inputs.random_mask(seed, 2, length)
    hold(directions.check_exchanged_directions, case, exchanged, x, mask if masked else None)


@strategies.FEW
@given(strategies.bimambas, strategies.seeds, st.integers(1, 5))
def test_both_directions_read_everything(subject: Subject, hold: Hold, mixer: Spec, seed: int, length: int) -> None:
    hold(directions.check_reads_everything, Case(around(mixer), subject, seed), length, seed)


@strategies.FEW
@given(strategies.one_way, strategies.seeds, st.integers(1, 6))
def test_one_direction_is_causal(subject: Subject, hold: Hold, mixer: Any, seed: int, length: int) -> None:
    """Along each strand in its own order."""
    backwards = mixer.direction == "reverse"
    hold(directions.check_one_way, Case(around(mixer), subject, seed), length, backwards, seed=seed)
    for strand in (0, 1):
        hold(directions.check_one_way, Case(around(mixer, "ps"), subject, seed), length, backwards, strand, seed)


@given(strategies.heads, strategies.seeds, strategies.lengths, st.booleans())
def test_head(candidate: Subject, hold: Hold, head: parts.Head, seed: int, length: int, masked: bool) -> None:
    case = Case(parts.Model(embedding=parts.Embedding(d_model=5), mixers=[], head=head), candidate, seed)
    x, mask = inputs.random_strand(seed, 2, length, 5), inputs.random_mask(seed, 2, length)
    hold(values.check_part_values, case, "head", x, mask if masked else None)
    hold(values.check_part_gradients, case, "head", x, mask if masked else None, seed)


@given(st.none() | strategies.heads, strategies.norms, strategies.seeds, strategies.lengths)
def test_embedding_and_head_are_equivariant(
    subject: Subject, hold: Hold, head: parts.Head | None, norm: parts.Norm, seed: int, length: int
) -> None:
    """Lift and project with nothing between them."""
    spec = parts.Model(embedding=parts.Embedding(d_model=5), mixers=[], norm=norm, head=head)
    case = Case(spec, subject, seed)
    hold(equivariance.check_equivariance, case, inputs.random_ids(seed, spec.space_in, 2, length))
    hold(equivariance.check_masked_equivariance, case, 2, length, seed)


@given(strategies.any_models, strategies.seeds, strategies.lengths, st.booleans())
def test_model(candidate: Subject, hold: Hold, spec: Spec, seed: int, length: int, masked: bool) -> None:
    case, ids = Case(spec, candidate, seed), inputs.random_ids(seed, spec.space_in, 2, length)
    mask = inputs.random_mask(seed, 2, length) if masked else None
    hold(values.check_model_values, case, ids, mask)
    hold(values.check_model_gradients, case, ids, mask, seed, together=True)


@given(strategies.ps_models, strategies.seeds, strategies.lengths)
def test_ps_model_is_equivariant(subject: Subject, hold: Hold, spec: Spec, seed: int, length: int) -> None:
    case = Case(spec, subject, seed)
    hold(equivariance.check_equivariance, case, inputs.random_ids(seed, spec.space_in, 2, length))
    hold(equivariance.check_masked_equivariance, case, 2, length, seed)


@given(strategies.averages, strategies.seeds, strategies.lengths)
def test_average_of_any_model_is_equivariant(subject: Subject, hold: Hold, spec: Spec, seed: int, length: int) -> None:
    hold(equivariance.check_equivariance, Case(spec, subject, seed), inputs.random_ids(seed, spec.space_in, 2, length))
