"""Bits per base and predictions, against what they are defined as."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.alphabet import BASES, MASK, PAD
from caduceus.conformance.data.fasta_files import fasta_text, random_sequence, write_fasta
from caduceus.data import Genome, Intervals, MaskedLMData, Score, cut_windows, ecoli_path, official_windows
from caduceus.symmetry import Tokens, reverse_complement
from caduceus.train.scoring import as_evaluated, predict_each, score, spread

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


@pytest.mark.parametrize("protocol", ["sound", "official"])
def test_bases_alone_are_scored_by_repeat_and_by_base(tmp_path: Path, protocol: Any) -> None:
    """The official protocol also asks for N, padding and other letters; a base is a repeat if it is lower case."""
    genome = Genome(write_fasta(tmp_path, fasta_text({"a": random_sequence(256, 4, "ACGTacgtNR")})))
    rows = Intervals.from_rows([("a", 0, 256, "test")])
    cut = official_windows(rows, genome, "test", 32, 256) if protocol == "official" else None
    data = MaskedLMData(genome, cut or cut_windows(rows, genome, "test", 32), rc=True, rate=0.5)
    model = caduceus.build(SPEC, backend="torch")
    costs: dict[str, list[float]] = {kind: [] for kind in Score.KINDS}
    for i, window in enumerate(data.windows):
        sample = data[i]
        text = genome.fetch(*window)
        text = reverse_complement(text) if data._flips(i) else text
        with torch.no_grad():
            log_p = model(sample["input_ids"][None]).log_softmax(-1)[0]
        for at in np.flatnonzero(sample["labels"] != PAD):
            if text[at].upper() in "ACGT":
                nats = -float(log_p[at, sample["labels"][at]])
                costs["repeat" if text[at].islower() else "unique"].append(nats)
                costs[text[at].upper()].append(nats)
    found = score(model, data, np.arange(len(data)), 3, "test")
    assert found is not None
    expected = {kind: pytest.approx(np.mean(nats) / math.log(2), rel=1e-6) for kind, nats in costs.items()}
    assert found.bits_by_kind() == expected
    assert found.targets == len(costs["unique"]) + len(costs["repeat"])
    if protocol == "official":
        assert found.targets < sum(int((data[i]["labels"] != PAD).sum()) for i in range(len(data)))


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
