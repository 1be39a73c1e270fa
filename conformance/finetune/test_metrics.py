"""Scores: against their definitions, and where they are not defined."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caduceus.evaluate.calibration import calibration, confusion
from caduceus.evaluate.intervals import difference, interval
from caduceus.evaluate.metrics import Predictions, averaged_over_batches, score, scores

SINGLE, MULTI, NUMBERS = "single_label_classification", "multi_label_classification", "regression"


def says(truth: list[int], answers: list[int], classes: int = 2) -> Predictions:
    """A model that is sure of its answers."""
    return Predictions(np.array(truth), np.eye(classes)[answers] * 0.8 + 0.2 / classes, SINGLE)


def answers(max_class: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    one = st.integers(0, max_class)
    return st.lists(st.tuples(one, one), min_size=1, max_size=30)


@given(answers(2))
def test_classification_against_the_confusion_matrix(pairs: list[tuple[int, int]]) -> None:
    truth, said = [a for a, _ in pairs], [b for _, b in pairs]
    p = says(truth, said, classes=3)
    matrix = np.zeros((3, 3))
    for a, b in pairs:
        matrix[a, b] += 1
    assert (confusion(p) == matrix).all()
    n, t, s, right = len(pairs), matrix.sum(1), matrix.sum(0), np.trace(matrix)
    assert score("accuracy", p) == pytest.approx(right / n)
    below = math.sqrt((n**2 - (s**2).sum()) * (n**2 - (t**2).sum()))
    mcc = None if len(set(truth)) == 1 else (right * n - (s * t).sum()) / below if below else 0.0
    assert score("mcc", p) == (None if mcc is None else pytest.approx(mcc))
    f1 = [2 * matrix[i, i] / (t[i] + s[i]) for i in range(3) if t[i] + s[i]]
    assert score("macro_f1", p) == score("f1", p) == pytest.approx(np.mean(f1))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=2, max_size=30))
def test_auroc_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[bool, int]]) -> None:
    truth, chance = np.array([int(t) for t, _ in rows]), np.array([c / 9 for _, c in rows])
    p = Predictions(truth, np.stack([1 - chance, chance], 1), SINGLE)
    pairs = [(a > b) + 0.5 * (a == b) for a in chance[truth == 1] for b in chance[truth == 0]]
    assert score("auroc", p) == (pytest.approx(np.mean(pairs)) if pairs else None)


def test_one_class_alone_leaves_scores_undefined() -> None:
    found = scores(says([1, 1, 1], [1, 1, 0]))
    assert {name for name, value in found.items() if value is None} == {"mcc", "auroc", "auprc"}
    assert (found["accuracy"], found["f1"]) == (pytest.approx(2 / 3), pytest.approx(0.8))
    three = scores(says([0, 1, 0, 1], [0, 1, 1, 1], classes=3))
    assert three["auroc"] is None, "a class that the set lacks has no rank"
    assert three["mcc"] is not None


def test_the_f1_of_a_class_that_is_neither_true_nor_said_is_not_defined() -> None:
    assert score("f1", says([0, 0], [0, 0])) is None
    assert score("f1", says([0, 0], [1, 0])) == score("f1", says([0, 1], [0, 0])) == 0.0
    assert score("macro_f1", says([0, 0], [0, 0])) == 1.0
    right = says([0, 1, 0, 1], [0, 1, 0, 1], classes=3)
    assert score("macro_f1", right) == score("f1", right) == 1.0
    labels = np.array([[1, 0], [0, 0]])
    assert score("macro_f1", Predictions(labels, labels.astype(float), MULTI)) == 1.0
    assert score("macro_f1", Predictions(0 * labels, 0.0 * labels, MULTI)) is None


def test_the_interval_of_a_perfect_model_does_not_depend_on_a_rare_class() -> None:
    truth = [0] * 40 + [1] * 40 + [2] * 2
    found = interval("macro_f1", says(truth, truth, classes=3), resamples=200)
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)


def test_a_model_that_says_the_same_of_every_row() -> None:
    found = scores(says([0, 1, 1, 1], [1, 1, 1, 1]))
    assert (found["accuracy"], found["mcc"], found["auroc"]) == (0.75, 0.0, 0.5)


def test_a_set_without_rows_has_no_score() -> None:
    empty = Predictions(np.zeros(0, dtype=int), np.zeros((0, 2)), SINGLE)
    assert set(scores(empty).values()) == {None}
    assert averaged_over_batches("mcc", empty, 2) is None
    assert interval("mcc", empty, resamples=5).low is None


def test_several_labels_leave_out_those_that_are_constant() -> None:
    truth = np.array([[1, 0, 0], [0, 0, 1], [1, 0, 1], [0, 0, 0]])
    outputs = np.array([[0.9, 0.1, 0.2], [0.1, 0.3, 0.4], [0.8, 0.2, 0.9], [0.3, 0.1, 0.1]])
    p = Predictions(truth, outputs, MULTI)
    assert score("auroc", p) == 1.0
    assert score("accuracy", p) == 0.75
    assert score("mcc", p) == pytest.approx((1.0 + 1 / math.sqrt(3)) / 2)
    assert score("mcc", p.take(np.array([0, 2]))) == pytest.approx(1.0), "the third label alone is not constant"
    assert score("mcc", p.take(np.array([0]))) is None


def test_numbers() -> None:
    truth = np.array([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0]])
    p = Predictions(truth, truth * 2 + 1, NUMBERS)
    found = scores(p)
    assert (found["pearson"], found["spearman"]) == (pytest.approx(1.0), pytest.approx(1.0))
    assert found["mae"] == pytest.approx(np.abs(truth + 1).mean())
    assert found["r2"] == pytest.approx(1 - (1 + 4 + 9) / 2)
    constant = scores(Predictions(truth, np.ones_like(truth), NUMBERS))
    assert constant["pearson"] == 0.0
    assert scores(Predictions(truth[:, 1:], truth[:, 1:], NUMBERS))["r2"] is None


def test_scores_over_batches_depend_on_the_batch_and_those_of_the_set_do_not() -> None:
    p = says([0, 0, 1, 1, 1, 0], [0, 1, 1, 1, 0, 0])
    assert averaged_over_batches("mcc", p, 6) == score("mcc", p) == pytest.approx(1 / 3)
    # The first four rows have an MCC of 1 / sqrt(3), the last two 0.
    assert averaged_over_batches("mcc", p, 4) == pytest.approx(4 / math.sqrt(3) / 6)
    assert averaged_over_batches("accuracy", p, 4) == pytest.approx(score("accuracy", p))
    # Of the first two rows none is of class 1 or said to be; of the last two both are.
    assert averaged_over_batches("f1", says([0, 0, 1, 1], [0, 0, 1, 1]), 2) == 0.5


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"truth has shape \(3,\) and outputs \(2, 2\)"):
        Predictions(np.zeros(3, dtype=int), np.zeros((2, 2)), SINGLE)
    with pytest.raises(ValueError, match=r"1 rows of outputs are not finite"):
        Predictions(np.zeros(2, dtype=int), np.array([[0.5, 0.5], [np.nan, 1]]), SINGLE)
    with pytest.raises(ValueError, match=r"no score 'r2' for single_label_classification, expected one of accuracy"):
        score("r2", says([0], [0]))


def _noisy(truth: np.ndarray, wrong: float, seed: int) -> Predictions:
    flips = np.random.default_rng(seed).random(len(truth)) < wrong
    return says(truth.tolist(), np.where(flips, 1 - truth, truth).tolist())


def test_an_interval_of_accuracy_is_the_binomial_one() -> None:
    truth = np.arange(600) % 2
    found = interval("accuracy", _noisy(truth, 0.2, seed=1), resamples=800)
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    deviation = math.sqrt(found.value * (1 - found.value) / 600)
    assert found.low == pytest.approx(found.value - 1.96 * deviation, abs=0.25 * deviation)
    assert found.high == pytest.approx(found.value + 1.96 * deviation, abs=0.25 * deviation)
    again = interval("accuracy", _noisy(truth, 0.2, seed=1), resamples=800)
    assert again == found


def test_a_paired_difference_knows_that_the_rows_are_the_same() -> None:
    truth = np.arange(400) % 2
    one = _noisy(truth, 0.3, seed=1)
    better = Predictions(truth, one.outputs.copy(), SINGLE)
    wrong = np.flatnonzero(one.decided != truth)[:20]
    better.outputs[wrong] = one.outputs[wrong][:, ::-1]
    paired = difference("accuracy", better, one, resamples=400)
    assert paired.value == pytest.approx(0.05)
    assert paired.low is not None
    assert paired.high is not None
    assert paired.low > 0
    alone = interval("accuracy", better, resamples=400)
    assert alone.low is not None
    assert alone.high is not None
    assert paired.high - paired.low < 0.6 * (alone.high - alone.low)
    same = difference("mcc", one, one, resamples=20)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="scored on different rows"):
        difference("mcc", one, _noisy(1 - truth, 0.3, seed=1))


def test_seeds_are_averaged_before_they_are_compared() -> None:
    truth = np.arange(200) % 2
    seeds = [_noisy(truth, 0.2, seed=i) for i in range(3)]
    found = interval("mcc", seeds, resamples=20)
    assert found.value == pytest.approx(np.mean([score("mcc", one) for one in seeds]))


def test_an_interval_of_a_gain_knows_that_seeds_disagree() -> None:
    """On rows that hardly matter, seeds that gain, lose and gain again leave zero inside."""
    truth = np.arange(4000) % 2
    base = [_noisy(truth, 0.2, seed=i) for i in range(3)]
    uneven = [_noisy(truth, wrong, seed=10 + i) for i, wrong in enumerate((0.1, 0.24, 0.15))]
    found = difference("accuracy", uneven, base, resamples=400)
    assert found.value is not None
    assert found.low is not None
    assert found.value > 0.02
    assert found.low < 0, "each seed by itself is told from zero by its rows"
    even = [_noisy(truth, 0.16, seed=10 + i) for i in range(3)]
    steady = difference("accuracy", even, base, resamples=400)
    assert steady.low is not None
    assert steady.low > 0


def test_draws_without_a_score_are_counted() -> None:
    found = interval("mcc", says([0, 0, 0, 1], [0, 0, 1, 1]), resamples=200, seed=3)
    assert 0.2 < found.undefined / 200 < 0.45, "a draw lacks the last row with a chance of (3/4)^4"
    alone = interval("mcc", says([1, 1], [0, 1]), resamples=10)
    assert (alone.value, alone.low, alone.undefined) == (None, None, 10)


def test_calibration_of_a_model_that_is_right_as_often_as_it_says() -> None:
    chance = np.full(1000, 0.75)
    truth = (np.arange(1000) % 4 == 0).astype(int)
    found = calibration(Predictions(truth, np.stack([chance, 1 - chance], 1), SINGLE))
    assert found.rows.tolist() == [0, 0, 0, 0, 0, 0, 0, 1000, 0, 0]
    assert (found.accuracy[7], found.confidence[7], found.error) == (0.75, 0.75, 0.0)
    labels = Predictions(truth[:, None], 1 - chance[:, None], MULTI)
    assert calibration(labels).error == pytest.approx(0.0)
