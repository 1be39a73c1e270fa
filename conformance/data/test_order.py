"""The order of samples: every window once an epoch, and the same global batches however they are shared out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caduceus.data import Batches, sample_windows, shuffled

WORDS = st.integers(0, 2**64 - 1)


@given(st.integers(1, 5000), WORDS, WORDS)
def test_a_shuffle_holds_each_window_once(n: int, seed: int, epoch: int) -> None:
    order = shuffled(np.arange(n), n, seed, epoch)
    assert np.array_equal(np.sort(order), np.arange(n))


@given(st.integers(1, 2**40), WORDS, WORDS, st.data())
def test_entries_do_not_depend_on_what_else_is_asked_for(n: int, seed: int, epoch: int, data: st.DataObject) -> None:
    positions = np.array(data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=20, unique=True)))
    order = shuffled(positions, n, seed, epoch)
    assert [int(shuffled(positions[[i]], n, seed, epoch)[0]) for i in range(len(positions))] == order.tolist()
    assert len(set(order.tolist())) == len(positions)
    samples = positions + n * np.minimum(min(epoch, 2), np.arange(len(positions)) % 3)  # of several epochs, in no order
    one_by_one = [int(sample_windows(samples[[i]], n, seed)[0]) for i in range(len(samples))]
    assert sample_windows(samples, n, seed).tolist() == one_by_one
    assert one_by_one[0] == int(shuffled(positions[[0]], n, seed, 0)[0])


def test_shuffles_are_close_to_uniform() -> None:
    """Over many epochs every window comes first equally often, and neighbours fall anywhere."""
    n, epochs = 10, 4000
    orders = np.array([shuffled(np.arange(n), n, 7, epoch) for epoch in range(epochs)])
    for position in range(n):
        counts = np.bincount(orders[:, position], minlength=n)
        assert ((counts - epochs / n) ** 2 / (epochs / n)).sum() < 33  # chi-squared, 9 degrees: p = 1e-4
    pairs = np.bincount(orders[:, 0] * n + orders[:, 1], minlength=n * n)[~np.eye(n, dtype=bool).ravel()]
    expected = epochs / (n * (n - 1))
    assert ((pairs - expected) ** 2 / expected).sum() < 147  # 89 degrees: p = 1e-4


def test_a_large_shuffle_mixes() -> None:
    n = 100_003
    order = shuffled(np.arange(n), n, 0, 0)
    assert abs(np.corrcoef(np.arange(n), order)[0, 1]) < 0.02
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.02
    assert (order == shuffled(np.arange(n), n, 0, 1)).sum() < 12
    assert (order == shuffled(np.arange(n), n, 1, 0)).sum() < 12


def test_the_order_does_not_depend_on_machine_or_version() -> None:
    """A run must continue anywhere: these values may never change."""
    assert shuffled(np.arange(10), 10, seed=2222, epoch=0).tolist() == [8, 5, 0, 1, 6, 2, 7, 4, 9, 3]


@pytest.mark.parametrize(("positions", "n"), [([5], 5), ([-1], 5), ([0], 0)])
def test_positions_outside_the_range(positions: list[int], n: int) -> None:
    with pytest.raises(ValueError, match="must lie in range"):
        shuffled(np.array(positions), n, 0, 0)


@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(0, 5), st.integers(0, 4))
def test_global_batches_do_not_depend_on_ranks_or_accumulation(
    world: int, accumulate: int, micro: int, first: int, steps: int
) -> None:
    batch = world * accumulate * micro
    ranks = [Batches(batch, first, first + steps, rank, world, accumulate) for rank in range(world)]
    assert all(len(list(share)) == len(share) == steps * accumulate for share in ranks)
    for step in range(steps):
        mine = [itertools.islice(share, step * accumulate, (step + 1) * accumulate) for share in ranks]
        samples = [sample for share in mine for micro_batch in share for sample in micro_batch]
        assert samples == list(range((first + step) * batch, (first + step + 1) * batch))


def test_a_batch_that_cannot_be_shared_out() -> None:
    with pytest.raises(ValueError, match="10 does not divide over 4 ranks x 1"):
        Batches(10, 0, 1, world=4)
    with pytest.raises(ValueError, match="rank is 2"):
        Batches(4, 0, 1, rank=2, world=2)
