"""How well a score ranks: area under the ROC curve, and rank correlation, each with a 95 % interval."""

from __future__ import annotations

from math import atanh, nan, sqrt, tanh
from typing import NamedTuple

import numpy as np

_Z95 = 1.959963984540054


class Measure(NamedTuple):
    """A value, its 95 % interval [low, high], and how many observations it is of; NaN where it is not defined."""

    value: float
    low: float
    high: float
    n: int


def midranks(values: np.ndarray) -> np.ndarray:
    """Ranks (n,) float64 from 1; equal values share the mean of their ranks.

    >>> midranks(np.array([5.0, 1.0, 5.0, 7.0])).tolist()
    [2.5, 1.0, 2.5, 4.0]
    """
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return ((2 * last - counts + 1) / 2)[which]


def auroc(positive: np.ndarray, score: np.ndarray) -> Measure:
    """Probability that a positive scores higher than a negative, ties counted half.

    The interval is DeLong's (DeLong et al. 1988), from midranks (Sun and Xu 2014), cut to [0, 1]; it takes observations
    as independent. Where every score of a kind is equal, as for a constant score, it has no width.

    Args:
        positive: (n,) bool. score: (n,) finite floats.

    >>> auroc(np.array([True, True, False, False]), np.array([4.0, 2.0, 1.0, 2.0])).value
    0.875
    >>> auroc(np.array([True, False]), np.zeros(2)).value
    0.5
    """
    ours, theirs = score[positive], score[~positive]
    m, n = len(ours), len(theirs)
    if not (m and n):
        return Measure(nan, nan, nan, m + n)
    together = midranks(np.concatenate([ours, theirs]))
    above = (together[:m] - midranks(ours)) / n
    below = 1 - (together[m:] - midranks(theirs)) / m
    value = float(above.mean())
    spread = sum(float(part.var(ddof=1)) / len(part) for part in (above, below) if len(part) > 1)
    half = _Z95 * sqrt(spread)
    return Measure(value, max(0.0, value - half), min(1.0, value + half), m + n)


def spearman(truth: np.ndarray, score: np.ndarray) -> Measure:
    """Spearman's rank correlation; the interval is Fisher's with the variance of Bonett and Wright (2000).

    Args:
        truth, score: (n,) finite floats.

    >>> spearman(np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 40.0])).value
    1.0
    """
    n = len(truth)
    a, b = (midranks(x) - (n + 1) / 2 for x in (truth, score))
    scale = sqrt(float(a @ a) * float(b @ b)) if n else 0.0
    if scale == 0:
        return Measure(nan, nan, nan, n)
    value = float(a @ b) / scale
    if n <= 3 or abs(value) >= 1:
        return Measure(value, -1.0 if n <= 3 else value, 1.0 if n <= 3 else value, n)
    half = _Z95 * sqrt((1 + value**2 / 2) / (n - 3))
    return Measure(value, tanh(atanh(value) - half), tanh(atanh(value) + half), n)
