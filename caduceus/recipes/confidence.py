"""Confidence intervals of a mean, for a few independent repetitions."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import mean, stdev
from typing import NamedTuple

from caduceus.extras import require


class Interval(NamedTuple):
    """A mean and its confidence interval; None where one value tells nothing of the spread."""

    mean: float
    low: float | None
    high: float | None


def mean_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Student's t interval of the mean of independent values; of differences paired by seed, it is the paired one.

    >>> [round(x, 3) for x in mean_interval([1.0, 2.0, 3.0])]
    [2.0, -0.484, 4.484]
    """
    middle = mean(values)
    if len(values) < 2:
        return Interval(middle, None, None)
    quantile = require("scipy.stats", "evaluate").t.ppf((1 + level) / 2, len(values) - 1)
    reach = float(quantile) * stdev(values) / sqrt(len(values))
    return Interval(middle, middle - reach, middle + reach)
