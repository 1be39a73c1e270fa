"""Whether probabilities are what they say: of the rows given 0.8, 80 % should have the class."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from caduceus.evaluate.metrics import Predictions
from caduceus.extras import require


class Calibration(NamedTuple):
    """Rows in bins of equal width by how probable the model finds its answer.

    Attributes:
        confidence, accuracy: (bins,) the mean probability of the answer and the share that is right; NaN without rows.
        rows: (bins,) how many.
        error: the expected calibration error, the mean distance of the two over the rows (Guo et al. 2017, equation 3).
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    rows: np.ndarray
    error: float


def calibration(predictions: Predictions, bins: int = 10) -> Calibration:
    """The calibration of a classifier; of several labels each counts for itself, with the answer yes or no.

    >>> sure = Predictions(np.array([0, 1]), np.array([[0.95, 0.05], [0.85, 0.15]]), "single_label_classification")
    >>> round(calibration(sure).error, 2)
    0.45
    """
    confidence, right = _answers(predictions)
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    rows = np.bincount(which, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(which, confidence, bins) / rows
        share = np.bincount(which, right, bins) / rows
    filled = rows > 0
    error = float((np.abs(mean - share)[filled] * rows[filled]).sum() / max(1, rows.sum()))
    return Calibration(mean, share, rows, error)


def confusion(predictions: Predictions) -> np.ndarray:
    """(classes, classes) rows of each true class by the class that the model says; absent classes are rows of 0."""
    if predictions.problem != "single_label_classification":
        raise ValueError(f"a confusion matrix is of single_label_classification, not of {predictions.problem}")
    labels = np.arange(predictions.outputs.shape[1])
    found: np.ndarray = require("sklearn.metrics", "evaluate").confusion_matrix(
        predictions.truth, predictions.decided, labels=labels
    )
    return found


def _answers(p: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """How probable each answer is, and whether it is right, each (answers,)."""
    if p.problem == "regression":
        raise ValueError("calibration is of classifiers, not of regression")
    if p.problem == "single_label_classification":
        return p.outputs.max(1), (p.decided == p.truth).astype(float)
    return np.maximum(p.outputs, 1 - p.outputs).ravel(), (p.decided == p.truth).astype(float).ravel()
