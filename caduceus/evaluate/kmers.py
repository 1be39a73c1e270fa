"""The floor: ridge regression on how often each k-mer occurs, a k-mer and its reverse complement counted as one.

It knows the composition of a sequence and nothing of order or strand. What a network adds shows only above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from caduceus.alphabet import A, tokenize
from caduceus.data.genome import is_base
from caduceus.data.labels import Labelled
from caduceus.evaluate.metrics import Predictions
from caduceus.extras import require
from caduceus.symmetry import Tokens

_ALPHAS = tuple(10.0**power for power in range(-2, 6))


def canonical(k: int) -> np.ndarray:
    """Feature of each k-mer (4^k,) int64: the same for a k-mer and its reverse complement, counted from 0.

    >>> canonical(1).tolist(), int(canonical(5).max()) + 1, int(canonical(2).max()) + 1
    ([0, 1, 1, 0], 512, 10)
    """
    codes = np.arange(4**k)
    digits = codes[:, None] // 4 ** np.arange(k - 1, -1, -1) % 4
    reversed_digits = Tokens().act(digits + A) - A
    smallest = np.minimum(codes, reversed_digits @ 4 ** np.arange(k - 1, -1, -1))
    return np.unique(smallest, return_inverse=True)[1].reshape(-1)


def kmer_shares(sequences: Sequence[str], k: int = 5) -> np.ndarray:
    """(n, features) float64: the share of each canonical k-mer among those of a sequence; 0 if it has none.

    A k-mer with a letter other than A, C, G and T is not counted; sequences shorter than k have none.
    """
    feature = canonical(k)
    width = int(feature.max()) + 1
    found = np.zeros((len(sequences), width))
    for row, sequence in zip(found, sequences, strict=True):
        ids = np.array(tokenize(sequence))
        if len(ids) < k:
            continue
        windows = np.lib.stride_tricks.sliding_window_view(ids, k)
        whole = windows[is_base(windows).all(1)] - A
        if len(whole):
            row += np.bincount(feature[whole @ 4 ** np.arange(k - 1, -1, -1)], minlength=width) / len(whole)
    return found


class KmerRidge:
    """Ridge regression on `kmer_shares`, each feature with variance 1, its strength chosen inside the training split.

    Classes get the softmax of the regression's values (several labels: the logistic function of each), so that their
    order means something and their size little.
    """

    def __init__(self, k: int = 5) -> None:
        self.k = k
        self._model: Any = None
        self._only: int | None = None

    def fit(self, train: Labelled) -> KmerRidge:
        """Fit on a training split; of a single class the answer is that class."""
        present = np.unique(train.labels) if train.problem == "single_label_classification" else np.array([0, 1])
        self._only = int(present[0]) if len(present) == 1 else None
        if self._only is None:
            linear = require("sklearn.linear_model", "evaluate")
            ridge = linear.RidgeCV if train.problem == "regression" else linear.RidgeClassifierCV
            scaler = require("sklearn.preprocessing", "evaluate").StandardScaler()
            pipeline = require("sklearn.pipeline", "evaluate")
            self._model = pipeline.make_pipeline(scaler, ridge(alphas=_ALPHAS))
            self._model.fit(kmer_shares(train.sequences, self.k), train.labels)
        return self

    def predict(self, data: Labelled) -> Predictions:
        """Of each row of a split that has the classes of the training split."""
        return Predictions(data.labels, self._outputs(data), data.problem)

    def _outputs(self, data: Labelled) -> np.ndarray:
        classes = len(data.classes)
        if self._only is not None:
            return np.eye(classes)[np.full(len(data), self._only)]
        if self._model is None:
            raise ValueError("KmerRidge has not been fitted")
        features = kmer_shares(data.sequences, self.k)
        if data.problem == "regression":
            numbers: np.ndarray = np.reshape(self._model.predict(features), (len(data), -1))
            return numbers
        values = self._model.decision_function(features)
        if data.problem == "multi_label_classification":
            return 1 / (1 + np.exp(-np.reshape(values, (len(data), -1))))
        if values.ndim == 1:
            values = np.stack([-values, values], 1)
        return _spread(_softmax(values), self._model.classes_, classes)


def _softmax(values: np.ndarray) -> np.ndarray:
    found = np.exp(values - values.max(1, keepdims=True))
    share: np.ndarray = found / found.sum(1, keepdims=True)
    return share


def _spread(probabilities: np.ndarray, ids: np.ndarray, classes: int) -> np.ndarray:
    """Columns in the place of their class; a class that training lacked has probability 0."""
    found = np.zeros((len(probabilities), classes))
    found[:, ids] = probabilities
    return found
