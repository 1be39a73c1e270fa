"""Confidence intervals of a mean, for a few independent repetitions."""

from __future__ import annotations

from collections.abc import Sequence
from math import atan, cos, pi, sin, sqrt
from statistics import mean, stdev
from typing import NamedTuple


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
    reach = t_quantile((1 + level) / 2, len(values) - 1) * stdev(values) / sqrt(len(values))
    return Interval(middle, middle - reach, middle + reach)


def t_quantile(probability: float, degrees: int) -> float:
    """The quantile of Student's t distribution at a probability above one half.

    >>> round(t_quantile(0.975, 1), 3), round(t_quantile(0.975, 2), 3), round(t_quantile(0.975, 1000), 3)
    (12.706, 4.303, 1.962)
    """
    if not 0.5 < probability < 1 or degrees < 1:
        raise ValueError(f"probability is {probability} and degrees {degrees}, expected 0.5 to 1, and at least 1")
    low, high = 0.0, 1.0
    while t_probability(high, degrees) < probability:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if t_probability(middle, degrees) < probability else (low, middle)
    return high


def t_probability(t: float, degrees: int) -> float:
    """P(T <= t) for whole degrees of freedom, a finite sum (Abramowitz and Stegun 26.7.3 and 26.7.4).

    >>> round(t_probability(2.0, 5), 6)
    0.94903
    """
    angle = atan(t / sqrt(degrees))
    odd = degrees % 2
    term = total = cos(angle) if odd else 1.0
    for k in range(2 + odd, degrees - 1, 2):
        term *= (k - 1) / k * cos(angle) ** 2
        total += term
    if not odd:
        return 0.5 + sin(angle) * total / 2
    return 0.5 + (angle + (sin(angle) * total if degrees > 1 else 0.0)) / pi
