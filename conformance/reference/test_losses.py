"""The reference's losses by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from caduceus.reference import directional_derivative
from caduceus.reference.losses import classification, masked_lm


def test_masked_lm_is_the_mean_over_targets() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((2, 3, 5)), np.array([[0, 4, 2], [4, 4, 3]])
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    ce = -np.log([p[0, 0, 0], p[0, 2, 2], p[1, 2, 3]])
    loss, n = masked_lm(logits, labels)
    assert (float(loss), n) == (pytest.approx(ce.mean(), rel=1e-14), 3)
    weights = np.array([[1.0, 7.0, 2.0], [7.0, 7.0, 0.5]])
    loss, n = masked_lm(logits, labels, weights)
    assert (float(loss), n) == (pytest.approx((ce * [1, 2, 0.5]).sum() / 3.5, rel=1e-14), 3)
    assert masked_lm(logits, labels, ignore_index=-100)[1] == 6


def test_its_gradient_is_softmax_minus_one_hot() -> None:
    rng = np.random.default_rng(1)
    logits, v = rng.standard_normal((2, 1, 2, 5))
    labels = np.array([[3, 1]])
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    found, _ = directional_derivative(lambda x: masked_lm(x, labels), logits, v)
    assert found == pytest.approx((v * (p - np.eye(5)[labels])).sum() / 2, rel=1e-13)


def test_without_targets_the_loss_is_zero() -> None:
    logits = np.full((1, 2, 5), np.nan)
    assert masked_lm(logits, np.array([[4, 4]])) == (0.0, 0)
    assert masked_lm(np.zeros((1, 2, 5)), np.array([[1, 4]]), np.zeros((1, 2))) == (0.0, 1)


def test_what_is_ignored_does_not_count() -> None:
    logits = np.zeros((1, 2, 5))
    logits[0, 1] = np.nan
    assert masked_lm(logits, np.array([[1, 4]]))[0] == pytest.approx(np.log(5))


def test_large_logits() -> None:
    assert masked_lm(np.array([[[1e4, 0.0, -1e4]]]), np.array([[1]]))[0] == 1e4
    assert classification(np.array([[1e4, -1e4]]), np.array([[1.0, 0.0]]), "multi_label_classification") == 0.0


@pytest.mark.parametrize(
    ("problem_type", "labels", "expected"),
    [
        ("single_label_classification", [1, 0], np.mean([np.log(1 + np.exp(1 - 2)), np.log(1 + np.exp(-1 - 0.5))])),
        (
            "multi_label_classification",
            [[1.0, 0.0], [0.5, 1.0]],
            np.mean(np.logaddexp(0, [1.0, 2.0, 0.5, -1.0]) - [1.0, 0.0, 0.25, -1.0]),
        ),
        ("regression", [[0.0, 2.0], [1.5, -1.0]], 0.5),
    ],
)
def test_classification(problem_type: str, labels: Any, expected: float) -> None:
    logits = np.array([[1.0, 2.0], [0.5, -1.0]])
    assert classification(logits, np.array(labels), problem_type) == pytest.approx(expected, rel=1e-14)


def test_regression_takes_one_label_per_sequence() -> None:
    assert classification(np.array([[1.0], [2.0]]), np.array([0.0, 0.0]), "regression") == 2.5


def test_labels_are_checked() -> None:
    with pytest.raises(ValueError, match=r"labels has shape \(3,\), expected \(2,\)"):
        classification(np.zeros((2, 2)), np.zeros(3, int), "single_label_classification")
    with pytest.raises(ValueError, match="problem_type is 'ranking', expected single_label_classification"):
        classification(np.zeros((2, 2)), np.zeros(2), "ranking")
    with pytest.raises(ValueError, match=r"labels has shape \(2,\), expected \(1, 2\)"):
        masked_lm(np.zeros((1, 2, 5)), np.zeros(2, int))
