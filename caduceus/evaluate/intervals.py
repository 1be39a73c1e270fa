"""How far a score may be from that of another test set and other seeds of the same kind.

Rows of a test set are drawn with replacement (Efron and Tibshirani 1993, chapter 13); for a difference of two models
both are scored on the same draws, since rows that are hard for one are hard for the other. Rows that belong together,
such as those of one variant, are drawn together, as a group.

Three trainings are too few to be drawn from: the draws would lie between the worst and the best of them, and three of
four intervals at most would hold the mean of all trainings. So seeds count by Student's t distribution instead, with
the deviation between them and one degree of freedom less than there are; of a difference of as many trainings each,
with the deviation of the differences, seed by seed. The interval is that of the sum of both: percentiles of the draws
of rows, each moved by every quantile of t. Of one seed, nothing is known of others, and the interval is of rows alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from caduceus.evaluate.metrics import Predictions, limits, score
from caduceus.extras import require

_RESAMPLES, _CONFIDENCE = 1000, 0.95
_QUANTILES = 200


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
        parts: of a score (seeds,) that of each on the set as it is, NaN where it is not defined; of a difference
            (seeds,) those of the pairs, or what is added and what is taken away where there are not as many of both.
        drawn: (resamples,) the mean over the seeds on each draw, likewise.
        seed: of the draws.
        limits: what the score cannot pass.
    """

    truth: np.ndarray
    parts: tuple[np.ndarray, ...]
    drawn: np.ndarray
    seed: int
    limits: tuple[float, float] = (-np.inf, np.inf)

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
        drawn = [_each(name, seeds, draw()).mean() if rows else np.nan for _ in range(resamples)]
        whole = _each(name, seeds, np.arange(rows))
        return cls(seeds[0].truth, (whole,), np.array(drawn, dtype=float), seed, limits(name))

    @property
    def whole(self) -> float:
        """The score of the set as it is, the mean over the seeds; NaN where it is not defined."""
        return float(sum(part.mean() for part in self.parts))

    def minus(self, other: Draws) -> Draws:
        """The difference, draw by draw.

        Raises:
            ValueError: the two were not scored on the same rows, or not on the same draws of them.
        """
        if not np.array_equal(self.truth, other.truth):
            raise ValueError("the models were scored on different rows; a paired comparison needs the same ones")
        if (self.seed, len(self.drawn)) != (other.seed, len(other.drawn)):
            raise ValueError("the models were scored on different draws; give both the same resamples and seed")
        taken = tuple(-part for part in other.parts)
        paired = [len(part) for part in self.parts] == [len(part) for part in taken]
        parts = tuple(map(np.add, self.parts, taken)) if paired else self.parts + taken
        return Draws(self.truth, parts, self.drawn - other.drawn, self.seed)

    def interval(self, confidence: float = _CONFIDENCE) -> Interval:
        """Percentiles of the draws of rows, moved by what the seeds differ."""
        resamples = len(self.drawn)
        defined = self.drawn[np.isfinite(self.drawn)]
        low: float | None = None
        high: float | None = None
        if np.isfinite(self.whole) and 2 * len(defined) >= resamples > 0:
            tail = (1 - confidence) / 2
            moved = defined[:, None] + self._of_other_seeds()
            found = np.quantile(moved, [tail, 1 - tail], method="hazen")
            low, high = (float(limit) for limit in np.clip(found, *self.limits))
        value = float(self.whole) if np.isfinite(self.whole) else None
        return Interval(value, low, high, confidence, resamples, resamples - len(defined))

    def _of_other_seeds(self) -> np.ndarray:
        """How far the mean of other seeds may be: equally probable distances, 0 alone where that is not known."""
        several = [part for part in self.parts if len(part) > 1]
        squares = np.array([part.var(ddof=1) / len(part) for part in several])
        if not squares.sum() > 0:
            return np.zeros(1)
        # Welch and Satterthwaite: the degrees of freedom of a sum of independent deviations.
        freedom = squares.sum() ** 2 / sum(s**2 / (len(part) - 1) for s, part in zip(squares, several, strict=True))
        middles = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
        return np.asarray(np.sqrt(squares.sum()) * require("scipy.stats", "evaluate").t.ppf(middles, freedom))


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


def _each(name: str, seeds: Sequence[Predictions], rows: np.ndarray) -> np.ndarray:
    """(seeds,) scores; NaN for one without."""
    return np.array([score(name, one.take(rows)) for one in seeds], dtype=float)


def _drawing(rng: np.random.Generator, rows: int, groups: np.ndarray | None) -> Callable[[], np.ndarray]:
    """What draws as many rows, or as many groups of rows, as there are, with replacement."""
    if groups is None:
        return lambda: rng.integers(rows, size=rows)
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    return lambda: np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
