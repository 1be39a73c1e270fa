"""The order in which training visits its windows: a new shuffle each epoch, computed, never stored.

Sample number s of a run over n windows is window ``shuffled(s % n)`` of epoch ``s // n``. A shuffle is a Feistel
network on the smallest power of four that holds n, walked until it lands below n: a permutation in constant memory. Any
entry can be asked for alone, so a run resumes anywhere and shards over any number of ranks and workers.
Source: Black and Rogaway 2002 (cycle walking).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from caduceus.data.draws import Purpose, random_bits

_ROUNDS = 8


def shuffled(positions: np.ndarray, n: int, seed: int, epoch: int) -> np.ndarray:
    """Where a shuffle of ``range(n)`` sends ``positions`` (m,) -> (m,) int64; another seed or epoch, another shuffle.

    >>> sorted(shuffled(np.arange(10), 10, seed=0, epoch=0).tolist()) == list(range(10))
    True
    """
    positions = np.asarray(positions)
    if n < 1 or positions.min(initial=0) < 0 or positions.max(initial=0) >= n:
        raise ValueError(f"positions to shuffle must lie in range({n})")
    half = np.uint64(max(1, ((n - 1).bit_length() + 1) // 2))
    keys = random_bits(seed, epoch, Purpose.ORDER, _ROUNDS)
    walking = _feistel(positions.astype(np.uint64), half, keys)
    while (outside := walking >= n).any():
        walking[outside] = _feistel(walking[outside], half, keys)
    return walking.astype(np.int64)


def sample_windows(samples: np.ndarray, n: int, seed: int) -> np.ndarray:
    """The windows, of ``n``, that global samples (m,) of a run read -> (m,) int64: each once an epoch.

    >>> sorted(sample_windows(np.arange(4, 8), 4, seed=0).tolist())
    [0, 1, 2, 3]
    """
    epochs, positions = np.divmod(np.asarray(samples), n)
    windows = np.empty(len(positions), dtype=np.int64)
    for epoch in np.unique(epochs):
        here = epochs == epoch
        windows[here] = shuffled(positions[here], n, seed, int(epoch))
    return windows


@dataclass(frozen=True)
class Batches:
    """Batches of global sample indices for one rank: a batch sampler whose global batches do not depend on the ranks.

    Global batch t holds samples [t * batch, (t + 1) * batch); rank r of w takes the r-th of w equal runs of it, cut
    into ``accumulate`` equal micro-batches. Iterating gives those of steps ``first`` up to, but not with, ``last``.

    >>> list(Batches(batch=4, first=1, last=2)), list(Batches(batch=4, first=1, last=2, rank=1, world=2, accumulate=2))
    ([[4, 5, 6, 7]], [[6], [7]])
    """

    batch: int
    first: int
    last: int
    rank: int = 0
    world: int = 1
    accumulate: int = 1

    def __post_init__(self) -> None:
        if self.batch < 1 or self.batch % (self.world * self.accumulate):
            raise ValueError(
                f"a global batch of {self.batch} does not divide over {self.world} ranks x {self.accumulate} "
                "micro-batches; make it a multiple"
            )
        if not 0 <= self.rank < self.world:
            raise ValueError(f"rank is {self.rank}, expected one of range({self.world})")

    def __len__(self) -> int:
        return max(0, self.last - self.first) * self.accumulate

    def __iter__(self) -> Iterator[list[int]]:
        share = self.batch // self.world
        micro = share // self.accumulate
        for step in range(self.first, self.last):
            begin = step * self.batch + self.rank * share
            for at in range(begin, begin + share, micro):
                yield list(range(at, at + micro))


def _feistel(x: np.ndarray, half: np.uint64, keys: np.ndarray) -> np.ndarray:
    """A permutation of the numbers below 4^half, elementwise uint64."""
    low = (np.uint64(1) << half) - np.uint64(1)
    left, right = x >> half, x & low
    for key in keys:
        left, right = right, left ^ (_mixed(right ^ key) & low)
    return (left << half) | right


def _mixed(x: np.ndarray) -> np.ndarray:
    """Each bit of the result depends on each of ``x``; the finaliser of SplitMix64 (Steele et al. 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
