"""Bits per base and predictions, against what they are defined as."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.alphabet import BASES, MASK, PAD, UNK
from caduceus.data import Genome, Intervals, MaskedLMData, cut_windows, ecoli_path
from caduceus.symmetry import Tokens
from caduceus.train.scoring import as_evaluated, only_bases, predict_each, score, spread

SPEC = parts.Model(embedding=parts.Embedding(d_model=8), mixers=[parts.BiMamba()], head=parts.MaskedLM())


@pytest.fixture(scope="module")
def held_out() -> MaskedLMData:
    genome = Genome(ecoli_path())
    return MaskedLMData(genome, cut_windows(Intervals.of_genome(genome), genome, "test", 50))


@pytest.mark.parametrize("per_device", [1, 3, 8])
def test_a_score_is_the_mean_cross_entropy_of_the_masked_bases(held_out: MaskedLMData, per_device: int) -> None:
    model = caduceus.build(SPEC, backend="torch")
    windows = np.array([0, 5, 9, 200])
    nats = []
    for window in windows:
        sample = held_out[int(window)]
        with torch.no_grad():
            log_p = model(sample["input_ids"][None]).log_softmax(-1)[0]
        at = np.flatnonzero(sample["labels"] != PAD)
        nats += (-log_p[at, sample["labels"][at]]).tolist()
    found = score(model, held_out, windows, per_device, "test")
    assert found is not None
    assert found.targets == len(nats) > 10
    assert found.bits_per_base == pytest.approx(np.mean(nats) / math.log(2), rel=1e-6)
    assert model.training


def test_a_score_can_be_stopped(held_out: MaskedLMData) -> None:
    asked = iter([False, True])
    assert score(caduceus.build(SPEC, backend="torch"), held_out, np.arange(4), 1, "test", lambda: next(asked)) is None


def test_only_bases_are_scored() -> None:
    labels = torch.tensor([[PAD, UNK, *BASES, MASK, 11]])
    assert only_bases(labels).tolist() == [[PAD, PAD, *BASES, PAD, PAD]]


def test_a_ph_model_is_averaged_and_shares_its_weights() -> None:
    plain = caduceus.build(SPEC.model_copy(update={"equivariance": "ph"}), backend="torch")
    averaged = as_evaluated(plain, "sound")
    assert caduceus.check.equivariance_error(plain, lengths=(9,), n=1) > 0.01
    assert caduceus.check.equivariance_error(averaged, lengths=(9,), n=1) == 0.0
    assert next(averaged.parameters()) is next(plain.parameters())
    assert as_evaluated(plain, "official") is plain
    assert as_evaluated(caduceus.build(SPEC, backend="torch"), "sound").spec == SPEC


def test_windows_are_spread_evenly() -> None:
    assert spread(10, 1.0).tolist() == list(range(10))
    assert spread(10, 0.3).tolist() == [0, 3, 6]
    assert spread(10, 1e-6).tolist() == [0]


def test_each_base_is_predicted_from_the_others_alone() -> None:
    model = caduceus.build(SPEC, backend="torch")
    ids = np.random.default_rng(0).choice(BASES, 30)
    found = predict_each(model, ids, range(3, 27), per_device=5)
    assert found.shape == (24, 4)
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-12)
    masked = torch.tensor(ids)[None].clone()
    masked[0, 10] = MASK
    with torch.no_grad():
        expected: Any = model(masked)[0, 10, list(BASES)].double().softmax(-1).numpy()
    np.testing.assert_allclose(found[10 - 3], expected, rtol=1e-5)
    other = predict_each(model, Tokens().act(ids[None])[0], range(3, 27))
    np.testing.assert_allclose(other[::-1, ::-1], found, rtol=1e-5)
