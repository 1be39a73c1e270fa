"""The contract of masks and of N."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import caduceus
from caduceus import parts
from caduceus.alphabet import PAD, N
from caduceus.conformance.catalogue import BOTH
from caduceus.conformance.subjects import Case, Subject, answer, features
from caduceus.spec import Spec

IDS = np.array([[7, 8, 9, 10, 4, 4], [4, 7, 11, 9, 3, 8]])
MASK = np.array([[1, 1, 1, 1, 0, 0], [0, 1, 1, 1, 1, 1]], dtype=bool)


def case(subject: Subject, head: parts.Head | None, equivariance: str = "ps", *mixers: Spec) -> Any:
    spec = parts.Model(
        equivariance=equivariance, embedding=parts.Embedding(d_model=6), mixers=mixers or [BOTH], head=head
    )
    return Case(spec, subject).model


def test_none_means_that_all_is_valid(subject: Subject) -> None:
    """[PAD] tokens too, as the authors have it."""
    model = case(subject, parts.MaskedLM())
    everything = np.ones_like(MASK)
    assert np.array_equal(answer(model, IDS), answer(model, IDS, everything))
    assert np.abs(answer(model, IDS)[0, 4:]).min() > 0


def test_pad_derives_the_mask_from_the_ids(subject: Subject) -> None:
    model = case(subject, parts.MaskedLM())
    assert np.array_equal(answer(model, IDS, "pad"), answer(model, IDS, IDS != PAD))
    assert not np.array_equal(answer(model, IDS, "pad"), answer(model, IDS))
    with pytest.raises(ValueError, match="mask is 'padding', expected"):
        model(IDS, "padding")


def test_masks_are_arrays_or_tensors_of_bool(subject: Subject) -> None:
    model = case(subject, parts.MaskedLM())
    if not subject.is_reference:
        assert np.array_equal(answer(model, IDS, torch.tensor(MASK)), answer(model, IDS, MASK))
        assert np.array_equal(answer(model, IDS, MASK.tolist()), answer(model, IDS, MASK))
    for wrong in (MASK.astype(float), MASK.astype(int)):
        with pytest.raises(ValueError, match=r"mask has dtype .*, expected bool"):
            model(IDS, wrong)
    with pytest.raises(ValueError, match=r"mask has shape \(1, 6\), expected \(2, 6\)"):
        model(IDS, MASK[:1])


def test_outputs_are_exactly_0_where_masked(subject: Subject) -> None:
    logits = answer(case(subject, parts.MaskedLM()), IDS, MASK)
    assert not logits[~MASK].any()
    assert logits[MASK].all()
    strands = features(case(subject, None), IDS, MASK)
    assert not strands[:, 0][~MASK].any()
    assert not strands[:, 1][~MASK[:, ::-1]].any()


@pytest.mark.parametrize(("pooling", "position"), [("first", 0), ("last", -1)])
@pytest.mark.parametrize("row", [0, 1])
def test_first_and_last_are_valid_positions_of_each_strand(
    subject: Subject, pooling: str, position: int, row: int
) -> None:
    """In the strand's own order: its first valid position is the first strand's last."""
    head = parts.SequenceClassifier(num_labels=3, pooling=pooling)
    model = case(subject, head)
    weight = model.weights()["head.weight"].astype(float)
    found = features(model, IDS[row : row + 1], MASK[row : row + 1])[0]
    pooled = [found[0][MASK[row]][position], found[1][MASK[row, ::-1]][position]]
    expected = (pooled[0] + pooled[1]) / 2 @ weight.T
    np.testing.assert_allclose(answer(model, IDS, MASK)[row], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_pooling_leaves_out_what_is_masked(subject: Subject, pooling: str) -> None:
    model = case(subject, parts.SequenceClassifier(num_labels=3, pooling=pooling), "ph")
    weight = model.weights()["head.weight"].astype(float)
    valid = features(model, IDS, MASK)[0][MASK[0]]
    expected = getattr(valid, pooling)(axis=0) @ weight.T
    np.testing.assert_allclose(answer(model, IDS, MASK)[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "max", "first", "last", "centre"])
def test_a_row_with_no_valid_position_pools_to_0(subject: Subject, pooling: str) -> None:
    for head in (parts.SequenceClassifier(pooling=pooling), parts.VectorHead(stranded=1, bias=False, pooling=pooling)):
        assert not answer(case(subject, head), IDS, np.zeros_like(MASK)).any()


@pytest.mark.parametrize("pooling", ["mean", "max", "first", "last", "centre"])
def test_a_sequence_of_no_positions_pools_to_0(subject: Subject, pooling: str) -> None:
    found = answer(case(subject, parts.SequenceClassifier(num_labels=3, pooling=pooling)), IDS[:, :0], MASK[:, :0])
    assert found.shape == (len(IDS), 3)
    assert not found.any()


def test_n_is_valid_and_never_a_target(subject: Subject) -> None:
    """In the mask it counts; what data do with it is a field of the model's spec."""
    model = case(subject, parts.MaskedLM())
    assert np.abs(answer(model, IDS, "pad")[1, 2]).min() > 0
    assert IDS[1, 2] == N
    fields = parts.Model.model_fields["n_as"]
    assert set(fields.annotation.__args__) == {"pad", "n"}  # type: ignore[union-attr]
    assert caduceus.zoo.spec("caduceus-ps-131k").n_as == "pad"


class Shift(Spec):
    """A third party's mixer that ignores masks, and says so."""

    uses_mask = False

    def module(self, backend: Any) -> nn.Module:
        return ShiftModule()

    def reference(self) -> Any:
        return lambda weights, x, mask=None: np.roll(x, 1, axis=1)


class ShiftModule(nn.Module):
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return x.roll(1, 1)


def test_a_mixer_that_ignores_masks_refuses_a_partial_one(subject: Subject) -> None:
    model = case(subject, parts.MaskedLM(), "ps", BOTH, Shift())
    assert np.array_equal(answer(model, IDS, np.ones_like(MASK)), answer(model, IDS))
    with pytest.raises(ValueError, match=r"mixers\.1.* ignores masks \(uses_mask = False\)"):
        model(IDS, MASK)
    with pytest.raises(ValueError, match="ignores masks"):
        model(IDS, "pad")
    assert caduceus.check.equivariance_error(model, lengths=(5,), n=1) == 0.0
