"""Intervals hold what they say also where only a few trainings were made and these differ."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_ind

from caduceus.evaluate.intervals import Draws, interval
from caduceus.evaluate.metrics import Predictions
from caduceus.recipes.confidence import mean_interval

ROWS = np.zeros(4, dtype=np.int64)
SINGLE = "single_label_classification"


def scored(seeds: list[float] | np.ndarray, rows: float = 0.0, rng: np.random.Generator | None = None) -> Draws:
    """Scores of some seeds on a set whose draws have the deviation ``rows``."""
    each = np.asarray(seeds, dtype=float)
    noise = np.zeros(200) if rng is None else rng.normal(0, rows, 200)
    return Draws(ROWS, (each,), each.mean() + noise, seed=0)


@pytest.mark.parametrize("seeds", [[0.7, 0.8], [0.7, 0.74, 0.8], [0.61, 0.6, 0.66, 0.63, 0.62]])
def test_without_noise_of_rows_it_is_students_interval(seeds: list[float]) -> None:
    found, expected = scored(seeds).interval(), mean_interval(seeds)
    assert found.value == pytest.approx(expected.mean)
    assert expected.low is not None
    assert expected.high is not None
    near = 0.01 * (expected.high - expected.low)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=near)


def test_a_difference_of_as_many_seeds_is_paired() -> None:
    ours, theirs = [0.7, 0.8, 0.9], [0.6, 0.69, 0.81]
    found = scored(ours).minus(scored(theirs)).interval()
    expected = mean_interval([one - other for one, other in zip(ours, theirs, strict=True)])
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.001)
    alone = scored(ours).minus(scored([0.7])).interval()
    assert alone.low is not None
    assert alone.high is not None
    assert alone.high - alone.low == pytest.approx(
        (mean_interval(ours).high or 0) - (mean_interval(ours).low or 0), rel=0.03
    )


def test_a_difference_of_more_seeds_and_fewer_is_welchs() -> None:
    ours, theirs = [0.7, 0.8, 0.9, 0.74], [0.6, 0.69, 0.71]
    found = scored(ours).minus(scored(theirs)).interval()
    expected = ttest_ind(ours, theirs, equal_var=False).confidence_interval()
    assert found.value == pytest.approx(np.mean(ours) - np.mean(theirs))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.01)


@pytest.mark.parametrize("rows", [0.0, 0.01, 0.05])
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_it_holds_the_truth_as_often_as_it_says(seeds: int, rows: float) -> None:
    rng = np.random.default_rng([seeds, round(1000 * rows)])
    held = gains = 0
    for _ in range(400):
        on_these_rows = 0.8 + rng.normal(0, rows)
        ours, theirs = (scored(on_these_rows + rng.normal(0, 0.02, seeds), rows, rng) for _ in range(2))
        found, gain = ours.interval(), ours.minus(scored(theirs.parts[0])).interval()
        assert None not in (found.low, found.high, gain.low, gain.high)
        held += (found.low or 0) <= 0.8 <= (found.high or 0)
        gains += not (gain.low or 0) <= 0 <= (gain.high or 0)
    # Four standard deviations of 400 trials.
    assert held / 400 > 0.95 - 0.044
    assert gains / 400 < 0.05 + 0.044


def test_no_interval_passes_what_a_score_can_be() -> None:
    truth = np.arange(40) % 2
    right = np.eye(2)[truth]
    fewer = right.copy()
    fewer[:6] = right[:6, ::-1]
    found = interval("accuracy", [Predictions(truth, one, SINGLE) for one in (right, right, fewer)], resamples=50)
    assert found.high == 1.0
    assert found.low is not None
    assert found.low < 0.8
    wrong = interval("auroc", [Predictions(truth, one, SINGLE) for one in (right[:, ::-1], fewer)], resamples=50)
    assert (wrong.low, wrong.high) == (0.0, 1.0)
    exact = Predictions(truth[:, None].astype(float), truth[:, None].astype(float), "regression")
    off = Predictions(exact.truth, exact.truth + 0.1, "regression")
    assert interval("mae", [exact, off], resamples=50).low == 0.0
