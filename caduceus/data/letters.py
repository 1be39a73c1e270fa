"""Counts of the letters of stretches of a genome."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from caduceus.alphabet import N
from caduceus.data.genome import Genome, is_base, is_lower, letter_ids

_AT_ONCE = 1 << 22
_ALL = np.arange(256, dtype=np.uint8)


class Counts(NamedTuple):
    """N; other letters than A, C, G, T, N; lower-case bases."""

    n: int
    other: int
    lower: int


class Letters:
    """How often each letter was read."""

    def __init__(self) -> None:
        self._seen = np.zeros(256, dtype=np.int64)

    def read_ids(self, genome: Genome, contig: str, start: int, end: int) -> np.ndarray:
        """Token ids of [start, end) (end - start,), counted."""
        letters = genome.fetch_letters(contig, start, end)
        self._seen += np.bincount(letters, minlength=256)
        return letter_ids(letters)

    def counts(self) -> Counts:
        """So far."""
        ids = letter_ids(_ALL)
        kinds = (ids == N, ~is_base(ids) & (ids != N), is_lower(_ALL) & is_base(ids))
        return Counts(*(int(self._seen[kind].sum()) for kind in kinds))


def letters_of(genome: Genome, contig: str, start: np.ndarray, end: np.ndarray, seen: Letters) -> None:
    """Count the bases that the ranges [start, end) (n,) cover, once each, in pieces."""
    for first, last in _merged(start, end):
        for at in range(first, last, _AT_ONCE):
            seen.read_ids(genome, contig, at, min(at + _AT_ONCE, last))


def _merged(start: np.ndarray, end: np.ndarray) -> Iterator[tuple[int, int]]:
    """The same bases in ranges that neither overlap nor touch.

    >>> list(_merged(np.array([5, 0, 20]), np.array([9, 6, 21])))
    [(0, 9), (20, 21)]
    """
    order = np.argsort(start)
    start, furthest = start[order], np.maximum.accumulate(end[order])
    first = np.flatnonzero(np.concatenate([[True], start[1:] > furthest[:-1]]))
    last = np.concatenate([first[1:], [len(start)]]) - 1
    return zip(start[first].tolist(), furthest[last].tolist(), strict=True)
