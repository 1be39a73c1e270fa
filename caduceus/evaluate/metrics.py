"""Scores over a whole test set, by scikit-learn and SciPy; what is not defined is null, no number.

The authors average MCC and F1 over batches, so that their scores depend on the batch size; here a score is that of the
set. `averaged_over_batches` gives theirs, for the official protocol alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from caduceus.data.labels import Problem
from caduceus.extras import require

Score = Callable[["Predictions"], float | None]


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model says of each row of a split, and what is true.

    Attributes:
        truth: (n,) int64 class ids; (n, classes) of 0 and 1; or (n, targets) float64.
        outputs: (n, classes) probabilities, or (n, targets) numbers.
        problem: which of the three.
    """

    truth: np.ndarray
    outputs: np.ndarray
    problem: Problem

    def __post_init__(self) -> None:
        single = self.problem == "single_label_classification"
        expected = self.outputs.shape[:1] if single else self.outputs.shape
        if self.outputs.ndim != 2 or self.truth.shape != expected:
            raise ValueError(
                f"truth has shape {self.truth.shape} and outputs {self.outputs.shape}, expected "
                f"{'(n,), (n, classes)' if single else 'both (n, classes) or (n, targets)'}"
            )
        if not np.isfinite(self.outputs).all():
            raise ValueError(f"{int((~np.isfinite(self.outputs)).any(1).sum())} rows of outputs are not finite")

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, rows: np.ndarray) -> Predictions:
        """The rows that a boolean or index array chooses."""
        return replace(self, truth=self.truth[rows], outputs=self.outputs[rows])

    @property
    def decided(self) -> np.ndarray:
        """The most probable class (n,); or (n, classes), 1 where more probable than not."""
        if self.problem == "single_label_classification":
            return self.outputs.argmax(1)
        return (self.outputs > 0.5).astype(np.int8)


def score(name: str, predictions: Predictions) -> float | None:
    """One score; None where it is not defined: no rows, one class alone for AUROC, AUPRC and MCC, a constant target,
    F1 of a class that is neither true nor said of any row.

    Scores of several labels or targets, and macro F1, are means over those that have one; accuracy of several labels is
    the share of rows with all of them right.

    Raises:
        ValueError: no such score for this problem.

    >>> half = Predictions(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]), "single_label_classification")
    >>> score("accuracy", half), score("mcc", half), score("auroc", half)
    (0.5, 0.0, 1.0)
    """
    known = scores_of(predictions.problem)
    if name not in known:
        raise ValueError(f"no score {name!r} for {predictions.problem}, expected one of {', '.join(known)}")
    if not len(predictions):
        return None
    with _quiet():
        return known[name](predictions)


def scores(predictions: Predictions) -> dict[str, float | None]:
    """Every score that there is for the problem."""
    return {name: score(name, predictions) for name in scores_of(predictions.problem)}


def scores_of(problem: Problem) -> dict[str, Score]:
    """Name -> function, for a problem."""
    return _REGRESSION if problem == "regression" else _CLASSIFICATION


def averaged_over_batches(name: str, predictions: Predictions, batch: int) -> float | None:
    """The authors' score: of each batch in the order of the rows, averaged by batch size; undefined ones count as 0."""
    starts = range(0, len(predictions), batch)
    parts = [predictions.take(np.arange(at, min(at + batch, len(predictions)))) for at in starts]
    if not parts:
        return None
    return float(np.average([score(name, part) or 0.0 for part in parts], weights=[len(part) for part in parts]))


def _metrics() -> Any:
    return require("sklearn.metrics", "evaluate")


def _scipy() -> Any:
    return require("scipy.stats", "evaluate")


def _accuracy(p: Predictions) -> float:
    return float(_metrics().accuracy_score(p.truth, p.decided))


def _mcc(p: Predictions) -> float | None:
    """Not defined where the truth is one class alone; 0 for a model that says the same of every row."""
    return _mean_over_labels(
        p,
        lambda truth, outputs: float(_metrics().matthews_corrcoef(truth, outputs)),
        p.decided,
    )


def _f1(p: Predictions, average: str) -> float | None:
    """A class that is neither true nor said of any row is 0 / 0, and no part of the mean over classes."""
    several = p.problem == "multi_label_classification" or p.outputs.shape[1] > 2
    # Of two classes, "f1" is that of the class 1, as published.
    kind = "macro" if several else average
    labels = None if kind == "binary" else np.arange(p.outputs.shape[1])
    found = float(_metrics().f1_score(p.truth, p.decided, average=kind, labels=labels, zero_division=np.nan))
    return None if np.isnan(found) else found


def _ranked(p: Predictions, function: Callable[..., float]) -> float | None:
    """A score by the order of the rows; of more than two classes the mean of each against the rest."""
    if p.problem == "multi_label_classification":
        return _mean_over_labels(p, lambda truth, outputs: float(function(truth, outputs)), p.outputs)
    if p.outputs.shape[1] == 2:
        return None if len(np.unique(p.truth)) < 2 else float(function(p.truth, p.outputs[:, 1]))
    each = p.truth[:, None] == np.arange(p.outputs.shape[1])
    if not (each.any(0) & ~each.all(0)).all():
        return None
    return float(np.mean([function(each[:, i], p.outputs[:, i]) for i in range(each.shape[1])]))


def _mean_over_labels(
    p: Predictions, function: Callable[[np.ndarray, np.ndarray], float], given: np.ndarray
) -> float | None:
    if p.problem == "single_label_classification":
        return None if len(np.unique(p.truth)) < 2 else function(p.truth, given)
    columns = [i for i in range(p.truth.shape[1]) if len(np.unique(p.truth[:, i])) > 1]
    return float(np.mean([function(p.truth[:, i], given[:, i]) for i in columns])) if columns else None


def _log_loss(p: Predictions) -> float:
    """Cross entropy in nats, each label for itself where there are several."""
    chance = np.clip(p.outputs, 1e-15, 1.0)
    if p.problem == "single_label_classification":
        return float(-np.log(chance[np.arange(len(p)), p.truth]).mean())
    against = np.clip(1 - p.outputs, 1e-15, 1.0)
    return float(-np.where(p.truth == 1, np.log(chance), np.log(against)).mean())


def _correlation(p: Predictions, function: Callable[..., float]) -> float | None:
    """Mean over the targets; not defined for a constant target, 0 for a constant output."""
    columns = [i for i in range(p.truth.shape[1]) if np.ptp(p.truth[:, i]) > 0]
    if not columns:
        return None
    each = [function(p.truth[:, i], p.outputs[:, i]) if np.ptp(p.outputs[:, i]) else 0.0 for i in columns]
    return float(np.mean(each))


def _r2(p: Predictions) -> float | None:
    columns = np.ptp(p.truth, axis=0) > 0
    if not columns.any():
        return None
    return float(_metrics().r2_score(p.truth[:, columns], p.outputs[:, columns]))


_CLASSIFICATION: dict[str, Score] = {
    "accuracy": _accuracy,
    "mcc": _mcc,
    "f1": lambda p: _f1(p, "binary"),
    "macro_f1": lambda p: _f1(p, "macro"),
    "auroc": lambda p: _ranked(p, _metrics().roc_auc_score),
    "auprc": lambda p: _ranked(p, _metrics().average_precision_score),
    "log_loss": _log_loss,
}
_REGRESSION: dict[str, Score] = {
    "mae": lambda p: float(_metrics().mean_absolute_error(p.truth, p.outputs)),
    "mse": lambda p: float(_metrics().mean_squared_error(p.truth, p.outputs)),
    "r2": _r2,
    "pearson": lambda p: _correlation(p, lambda truth, output: _scipy().pearsonr(truth, output).statistic),
    "spearman": lambda p: _correlation(p, lambda truth, output: _scipy().spearmanr(truth, output).statistic),
}
# Scores of which less is better.
LOSSES = frozenset({"log_loss", "mae", "mse"})
_LEAST = {"mcc": -1.0, "pearson": -1.0, "spearman": -1.0, "r2": -np.inf}


def limits(name: str) -> tuple[float, float]:
    """The least and the most that a score can be.

    >>> limits("auroc"), limits("mcc"), limits("mae")
    ((0.0, 1.0), (-1.0, 1.0), (0.0, inf))
    """
    return _LEAST.get(name, 0.0), np.inf if name in LOSSES else 1.0


@contextmanager
def _quiet() -> Iterator[None]:
    """scikit-learn warns of classes that a set lacks; what that means is stated above."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(sklearn|caduceus\.evaluate)\.")
        yield
