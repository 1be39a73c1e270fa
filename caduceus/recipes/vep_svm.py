"""An SVM with a Gaussian kernel for each seed, its strength C chosen: by held-out rows, or as the authors do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from caduceus.evaluate.metrics import Predictions, score
from caduceus.extras import require
from caduceus.recipes.vep_arms import Arm
from caduceus.recipes.vep_buckets import Bucket
from caduceus.recipes.vep_eqtl import VepEqtl

_METRIC = "auroc"


class Told(NamedTuple):
    """What an arm says of a bucket's test rows.

    Attributes:
        c: the strength chosen. by: the score that chose each; None where the rows to choose by have one class.
        predictions: one a seed.
    """

    c: float
    by: dict[float, float | None]
    predictions: list[Predictions]


class _Tried(NamedTuple):
    c: float
    score: float | None
    models: list[Any]


def told(recipe: VepEqtl, arm: Arm, bucket: Bucket, labels: np.ndarray) -> Told:
    """Train, choose, and ask of the test rows: in this order for sound; for official the test score chooses."""
    hard = recipe.protocol == "official"
    rows = bucket.test if hard else bucket.valid
    chosen, by = _chosen(recipe.c, arm, bucket.draws, rows, labels, hard)
    features = arm(bucket.test, False)
    return Told(chosen.c, by, [_asked(model, features, labels[bucket.test], hard) for model in chosen.models])


def _chosen(
    strengths: Sequence[float], arm: Arm, draws: list[np.ndarray], rows: np.ndarray, labels: np.ndarray, hard: bool
) -> tuple[_Tried, dict[float, float | None]]:
    """The strength with the best mean score over the seeds on ``rows``, the first of equals; and the score of each."""
    features = arm(rows, False) if len(rows) else None

    def tried(c: float) -> _Tried:
        models = [_fitted(c, arm(drawn, True), labels[drawn]) for drawn in draws]
        return _Tried(c, None if features is None else _mean_score(models, features, labels[rows], hard), models)

    first, *others = strengths
    best = tried(first)
    by = {first: best.score}
    for c in others:  # the models of the best alone are kept
        now = tried(c)
        by[c] = now.score
        if (now.score or 0.0) > (best.score or 0.0):
            best = now
    return best, by


def _mean_score(models: list[Any], features: np.ndarray, truth: np.ndarray, hard: bool) -> float | None:
    each = [score(_METRIC, _asked(model, features, truth, hard)) for model in models]
    defined = [value for value in each if value is not None]
    return float(np.mean(defined)) if defined else None


def _fitted(c: float, features: np.ndarray, labels: np.ndarray) -> Any:
    scaler = require("sklearn.preprocessing", "evaluate").StandardScaler()
    svm = require("sklearn.svm", "evaluate").SVC(kernel="rbf", gamma="scale", C=c)
    return require("sklearn.pipeline", "evaluate").make_pipeline(scaler, svm).fit(features, labels)


def _asked(model: Any, features: np.ndarray, truth: np.ndarray, hard: bool) -> Predictions:
    """Decision values, as far from 0 as the row is from the border; ``hard``: the decided classes alone."""
    if hard:
        outputs = np.eye(2)[model.predict(features)]
    else:
        values = model.decision_function(features)
        outputs = np.stack([-values, values], 1)
    return Predictions(truth, outputs, "single_label_classification")
