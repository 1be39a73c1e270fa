"""SVMs, their choices and their rows: sound ones never see the test rows, official ones have the authors' defects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from caduceus.evaluate.intervals import difference, interval
from caduceus.evaluate.metrics import Predictions
from caduceus.recipes.vep_buckets import Bucket, buckets, held_out
from caduceus.recipes.vep_eqtl import VepEqtl
from caduceus.recipes.vep_protocol import TissueCodes, draws, kept_by_sampler, official_strands
from caduceus.recipes.vep_svm import told
from caduceus.recipes.vep_table import TEST, TRAIN, VALID

TRAINING, VALIDATION, TESTING = np.arange(60), np.arange(60, 160), np.arange(160, 260)
STRENGTHS = (0.01, 0.3, 1.0, 10.0, 1000.0)


def recipe(protocol: str = "sound", **fields: Any) -> VepEqtl:
    return VepEqtl(task="vep_eqtl", name="t", **{"protocol": protocol, "c": STRENGTHS, "seeds": (1, 2), **fields})


def noisy(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of 260 rows that are told apart a little."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, 260)
    return rng.normal(size=(260, 4)) + 0.4 * labels[:, None], labels


def bucket(**fields: Any) -> Bucket:
    whole = {
        "name": "b",
        "train": TRAINING,
        "valid": VALIDATION,
        "test": TESTING,
        "draws": [TRAINING[:40], TRAINING[20:]],
    }
    return Bucket(**{**whole, "problem": "", **fields})


class Spied:
    """An arm that notes which rows it was asked for."""

    def __init__(self, features: np.ndarray) -> None:
        self.features, self.asked = features, []

    def __call__(self, rows: np.ndarray, training: bool) -> np.ndarray:
        self.asked.append((rows, training))
        return self.features[rows]


def test_sound_chooses_before_it_asks_of_a_test_row() -> None:
    features, labels = noisy()
    arm = Spied(features)
    told(recipe(), arm, bucket(), labels)
    *before, (last, training) = arm.asked
    assert not set(np.concatenate([rows for rows, _ in before])) & set(TESTING)
    assert (last == TESTING).all()
    assert not training
    assert all(np.isin(rows, TRAINING).all() for rows, for_training in before if for_training)


@pytest.mark.parametrize("seed", range(4))
def test_test_labels_choose_for_official_and_never_for_sound(seed: int) -> None:
    features, labels = noisy(seed)
    turned = labels.copy()
    turned[TESTING] = 1 - turned[TESTING]
    sound, again = (told(recipe(), Spied(features), bucket(), each) for each in (labels, turned))
    assert (sound.c, sound.by) == (again.c, again.by)
    official, other = (told(recipe("official"), Spied(features), bucket(), each) for each in (labels, turned))
    assert official.c != other.c
    assert official.by[official.c] == max(official.by.values())


def test_sound_is_chosen_by_the_validation_rows_and_scored_by_decision_values() -> None:
    features, labels = noisy()
    found = told(recipe(), Spied(features), bucket(), labels)
    assert found.by[found.c] == max(found.by.values())
    assert len(set(found.by.values())) > 1
    for seed in found.predictions:
        assert len(np.unique(seed.outputs[:, 1])) == len(TESTING)
    turned = labels.copy()
    turned[VALIDATION] = 1 - turned[VALIDATION]
    assert told(recipe(), Spied(features), bucket(), turned).c != found.c


def test_official_is_scored_by_decided_classes() -> None:
    """Q29: the AUROC of decided classes is their balanced accuracy."""
    features, labels = noisy()
    found = told(recipe("official"), Spied(features), bucket(), labels)
    scores = []
    for seed in found.predictions:
        decided = seed.outputs[:, 1]
        assert set(decided) == {0.0, 1.0}
        scores.append(roc_auc_score(labels[TESTING], decided))
        assert scores[-1] == pytest.approx(balanced_accuracy_score(labels[TESTING], decided))
    assert found.by[found.c] == pytest.approx(np.mean(scores))


@pytest.mark.parametrize("protocol", ["sound", "official"])
def test_features_that_carry_nothing_score_exactly_a_half(protocol: str) -> None:
    _, labels = noisy()
    found = told(recipe(protocol), Spied(np.zeros((260, 8))), bucket(), labels)
    for seed in found.predictions:
        assert len(np.unique(seed.outputs, axis=0)) == 1
    assert set(found.by.values()) == {0.5}
    assert interval("auroc", found.predictions, resamples=9).value == 0.5


def test_without_rows_to_choose_by_the_first_strength_is_taken() -> None:
    features, labels = noisy()
    one_label = VALIDATION[labels[VALIDATION] == 1]
    for valid in (VALIDATION[:0], one_label):
        found = told(recipe(), Spied(features), bucket(valid=valid), labels)
        assert found.c == STRENGTHS[0]
        assert set(found.by.values()) == {None}


def test_training_and_other_rows_are_asked_for_as_such() -> None:
    """A ph model's features differ between the two under the official protocol."""
    features, labels = noisy()
    arm = Spied(features)
    told(recipe("official"), arm, bucket(), labels)
    assert {(len(rows), training) for rows, training in arm.asked} == {(40, True), (100, False)}
    expected = {("ps", True): "mean", ("ps", False): "mean", ("ph", True): "forward", ("ph", False): "mean"}
    expected |= {("none", True): "forward", ("none", False): "forward"}
    assert {key: official_strands(*key) for key in expected} == expected


DISTANCE = np.array([0, 29_999, 30_000, 99_999, 100_000, 1e6])
SPLIT = np.array([[TRAIN] * 6, [TRAIN] * 6, [TEST] * 6, [TEST] * 6, [VALID] * 6]).reshape(-1)
LABELS = np.array([[0] * 6, [1] * 6, [0] * 6, [1] * 6, [1] * 6]).reshape(-1)


def test_an_edge_belongs_to_one_bucket_and_for_official_to_two() -> None:
    distance = np.tile(DISTANCE, 5)
    for protocol, counts in (("sound", [4, 4, 4, 12]), ("official", [6, 6, 4, 12])):
        found = buckets(recipe(protocol), SPLIT, distance, LABELS)
        assert [each.name for each in found] == ["0 to 30 kb", "30 to 100 kb", "100 kb and more", "all distances"]
        assert [len(each.train) for each in found] == [len(each.test) for each in found] == counts
        assert [2 * len(each.valid) for each in found] == counts
        assert not any(each.problem for each in found)


def test_a_bucket_that_cannot_be_scored_says_why() -> None:
    distance = np.tile(DISTANCE, 5)
    one_label, no_test = LABELS.copy(), SPLIT.copy()
    one_label[(distance < 30_000) & (SPLIT == TRAIN)] = 1
    first, *others = buckets(recipe(), SPLIT, distance, one_label)
    assert first.problem == "its 4 training rows are all of label 1: there is nothing to tell apart"
    assert [each.problem for each in others] == ["", "", ""]
    no_test[(distance >= 100_000) & (SPLIT == TEST)] = -1
    assert [each.problem for each in buckets(recipe(), no_test, distance, LABELS)] == ["", "", "no test rows", ""]


def test_sound_draws_once_where_all_rows_are_drawn_and_official_with_replacement() -> None:
    rows = np.arange(100, 120)
    (whole,) = draws(rows, 20, (1, 2, 3), "sound")
    assert (whole == rows).all()
    few = draws(rows, 5, (1, 2, 3), "sound")
    assert len(few) == 3
    assert all(len(set(each)) == 5 for each in few)
    assert len({tuple(each) for each in few}) == 3
    with_replacement = draws(rows, 50, (1, 2), "official")
    assert [len(each) for each in with_replacement] == [50, 50]
    assert all(len(set(draws(rows, 20, (seed,), "official")[0])) == 20 for seed in range(5))


def test_stretches_are_held_out_whole() -> None:
    rng = np.random.default_rng(0)
    contigs, starts = rng.integers(0, 3, 900), rng.integers(0, 20_000_000, 900)
    out = held_out(contigs, starts, 0.1)
    sides = {}
    for contig, start, side in zip(contigs, starts, out, strict=True):
        sides.setdefault((contig, start // 1_000_000), set()).add(bool(side))
    assert all(len(each) == 1 for each in sides.values())
    assert 90 <= out.sum() < 90 + 40
    assert (held_out(contigs, starts, 0.1) == out).all()
    assert not held_out(np.zeros(9), np.arange(9), 0.5).any(), "one stretch is left to train on"
    assert len(held_out(np.zeros(0), np.zeros(0), 0.1)) == 0


def test_rows_that_the_authors_loader_drops() -> None:
    assert kept_by_sampler(np.arange(19)).tolist() == list(range(16))
    assert len(kept_by_sampler(np.arange(7))) == 0


def test_tissues_are_columns_and_for_official_one_number() -> None:
    train, test = ["Lung", "Liver", "Blood", "Lung"], ["Lung", "Blood", "Liver"]
    assert TissueCodes(train, test, "sound")(["Lung", "Blood"]).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert TissueCodes(train, test, "official")(["Lung", "Blood", "Liver"]).tolist() == [[2], [0], [1]]
    with pytest.raises(ValueError, match="test rows have the tissue 'Skin', which no training row has; those have 'Bl"):
        TissueCodes(train, [*test, "Skin"], "sound")
    # Q33: the authors' numbers are those of the test tissues, and a training tissue may be the stranger.
    with pytest.raises(ValueError, match="training rows have the tissue 'Skin', which no test row has"):
        TissueCodes([*train, "Skin"], test, "official")
    assert TissueCodes(train, [*test, "Skin"], "official")(["Skin"]).tolist() == [[3]]


def test_rows_of_a_group_are_drawn_together() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat(rng.integers(0, 2, 30), 20)
    values = np.repeat(rng.normal(size=30), 20) + truth
    groups = np.repeat(rng.permutation(30), 20)
    order = rng.permutation(600)

    def says(rows: np.ndarray) -> Predictions:
        return Predictions(truth[rows], np.stack([-values, values], 1)[rows], "single_label_classification")

    once = interval("auroc", says(np.arange(0, 600, 20)), resamples=300)
    together = interval("auroc", says(order), resamples=300, groups=groups[order])
    apart = interval("auroc", says(order), resamples=300)
    assert together.value == pytest.approx(once.value)
    width, wide, narrow = (each.high - each.low for each in (once, together, apart))
    assert wide == pytest.approx(width, rel=0.2)
    assert narrow < wide / 2.5
    same = difference("auroc", says(order), says(order), resamples=20, groups=groups[order])
    assert (same.value, same.low, same.high) == (0, 0, 0)
