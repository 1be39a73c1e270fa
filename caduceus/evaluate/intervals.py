"""How far a score may be from that of another test set and other seeds of the same kind: bootstrap over both.

Rows of a test set are drawn with replacement; for a difference of two models both are scored on the same draws, since
rows that are hard for one are hard for the other. Rows that belong together, such as those of one variant, are drawn
together, as a group. The trainings of a model are drawn with replacement too, for a difference the same seeds of both.
Percentile intervals (Efron and Tibshirani 1993, chapter 13); of few seeds they are somewhat too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from caduceus.evaluate.metrics import Predictions, score

_RESAMPLES, _CONFIDENCE = 1000, 0.95


@dataclass(frozen=True)
class Interval:
    """A score, or a difference of two, and the range that its confidence goes with.

    Attributes:
        value: on the set as it is; null where it is not defined.
        low, high: null where the value is, or where fewer than half of the draws have a score.
        undefined: draws without a score, such as those that hold one class alone.
    """

    value: float | None
    low: float | None
    high: float | None
    confidence: float
    resamples: int
    undefined: int

    def to_dict(self) -> dict[str, float | int | None]:
        """Plain values, as JSON holds them."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Draws:
    """A score on a set and on draws from it; two of the same rows and seed are of the same draws.

    Attributes:
        truth: of the rows, as `Predictions` has it.
        whole: the score of the set as it is; NaN where it is not defined.
        drawn: (resamples,) those of the draws, likewise.
        seed: of the draws.
    """

    truth: np.ndarray
    whole: float
    drawn: np.ndarray
    seed: int

    @classmethod
    def of(
        cls,
        name: str,
        predictions: Predictions | Sequence[Predictions],
        *,
        resamples: int = _RESAMPLES,
        seed: int = 0,
        groups: np.ndarray | None = None,
    ) -> Draws:
        """The score called ``name``; of several seeds of a model on the same rows, the mean over the seeds.

        Args:
            groups: (n,) int64, of which group each row is, if they are drawn by groups.
        """
        seeds = _as_list(predictions)
        rows = len(seeds[0])
        draw = _drawing(np.random.default_rng(seed), rows, groups)
        # Of a generator of their own: models of one seed and of several are compared on the same draws of rows.
        which = np.random.default_rng([seed, 1]).integers(len(seeds), size=(resamples, len(seeds)))
        drawn = [_mean(name, [seeds[i] for i in chosen], draw()) if rows else np.nan for chosen in which]
        return cls(seeds[0].truth, _mean(name, seeds, np.arange(rows)), np.array(drawn, dtype=float), seed)

    def minus(self, other: Draws) -> Draws:
        """The difference, draw by draw.

        Raises:
            ValueError: the two were not scored on the same rows, or not on the same draws of them.
        """
        if not np.array_equal(self.truth, other.truth):
            raise ValueError("the models were scored on different rows; a paired comparison needs the same ones")
        if (self.seed, len(self.drawn)) != (other.seed, len(other.drawn)):
            raise ValueError("the models were scored on different draws; give both the same resamples and seed")
        return Draws(self.truth, self.whole - other.whole, self.drawn - other.drawn, self.seed)

    def interval(self, confidence: float = _CONFIDENCE) -> Interval:
        """The percentile interval."""
        resamples = len(self.drawn)
        defined = self.drawn[np.isfinite(self.drawn)]
        low: float | None = None
        high: float | None = None
        if np.isfinite(self.whole) and 2 * len(defined) >= resamples > 0:
            tail = (1 - confidence) / 2
            low, high = (float(limit) for limit in np.quantile(defined, [tail, 1 - tail]))
        value = float(self.whole) if np.isfinite(self.whole) else None
        return Interval(value, low, high, confidence, resamples, resamples - len(defined))


def interval(
    name: str,
    predictions: Predictions | Sequence[Predictions],
    *,
    resamples: int = _RESAMPLES,
    confidence: float = _CONFIDENCE,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> Interval:
    """A score with its interval; of several seeds of a model on the same rows, that of the mean over the seeds.

    Args:
        groups: (n,) int64, of which group each row is, if they are drawn by groups.

    >>> right = Predictions(np.array([0, 1] * 8), np.eye(2)[[0, 1] * 8], "single_label_classification")
    >>> found = interval("accuracy", right)
    >>> found.value, found.low, found.high
    (1.0, 1.0, 1.0)
    """
    return Draws.of(name, predictions, resamples=resamples, seed=seed, groups=groups).interval(confidence)


def difference(
    name: str,
    predictions: Predictions | Sequence[Predictions],
    baseline: Predictions | Sequence[Predictions],
    *,
    resamples: int = _RESAMPLES,
    confidence: float = _CONFIDENCE,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> Interval:
    """The score of one model minus that of another on the same rows, with its interval; seeds are averaged first.

    Raises:
        ValueError: the two were not scored on the same rows.
    """
    pair = (predictions, baseline)
    ours, theirs = (Draws.of(name, each, resamples=resamples, seed=seed, groups=groups) for each in pair)
    return ours.minus(theirs).interval(confidence)


def _as_list(predictions: Predictions | Sequence[Predictions]) -> list[Predictions]:
    found = [predictions] if isinstance(predictions, Predictions) else list(predictions)
    if not found:
        raise ValueError("no predictions, expected at least one seed")
    if any(not np.array_equal(one.truth, found[0].truth) for one in found):
        raise ValueError("the seeds were scored on different rows")
    return found


def _mean(name: str, seeds: Sequence[Predictions], rows: np.ndarray) -> float:
    """NaN unless every seed has a score."""
    each = [score(name, one.take(rows)) for one in seeds]
    defined = [value for value in each if value is not None]
    return float(np.mean(defined)) if len(defined) == len(each) else np.nan


def _drawing(rng: np.random.Generator, rows: int, groups: np.ndarray | None) -> Callable[[], np.ndarray]:
    """What draws as many rows, or as many groups of rows, as there are, with replacement."""
    if groups is None:
        return lambda: rng.integers(rows, size=rows)
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    return lambda: np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
