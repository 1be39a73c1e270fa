"""A genome's worth of windows of one length, in the memory of the intervals they are cut from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from caduceus.data.intervals import Intervals

Protocol = Literal["sound", "official"]
# Training may not see what validation and test hold, nor validation what test holds.
UNSEEN: dict[str, tuple[str, ...]] = {"train": ("valid", "test"), "valid": ("test",), "test": ()}


class Window(NamedTuple):
    """Bases [start, end) of a contig, counted from 0."""

    contig: str
    start: int
    end: int


@dataclass(frozen=True)
class WindowReport:
    """What was cut and what was left out; ``str`` gives a paragraph to print.

    Attributes:
        rows: intervals of the split; rows_overlapping: dropped since they overlap a split that must stay unseen;
            rows_short: dropped since they are shorter than a window.
        windows: how many are left; windows_empty: skipped since they hold no A, C, G or T.
        windows_repeated, windows_overlapping: among those left, the same as an earlier one; sharing a base with an
            interval of a split that must stay unseen (never so for sound windows).
        bases_unused: bases of the kept intervals after their last window.
        letters_n, letters_other, letters_lower: N; other letters than A, C, G, T, N; and lower-case ones, which mark
            repeats: in all windows cut, or, of official ones, in the bases that they cover, once each.
    """

    protocol: Protocol
    split: str
    length: int
    rows: int
    rows_overlapping: int = 0
    rows_short: int = 0
    windows: int = 0
    windows_empty: int = 0
    windows_repeated: int = 0
    windows_overlapping: int = 0
    bases_unused: int = 0
    letters_n: int = 0
    letters_other: int = 0
    letters_lower: int = 0

    def __str__(self) -> str:
        unseen = " or ".join(UNSEEN[self.split])
        notes = [
            (self.rows_overlapping, f"intervals overlap {unseen} and are dropped"),
            (self.rows_short, "intervals are shorter than a window"),
            (self.windows_empty, "windows hold no A, C, G or T and are skipped"),
            (self.windows_repeated, "windows repeat an earlier one"),
            (self.windows_overlapping, f"windows cover bases of {unseen}"),
            (self.bases_unused, "bases fill no window"),
            (self.letters_n, "letters are N"),
            (self.letters_other, "letters are none of A, C, G, T, N and read as [UNK]"),
            (self.letters_lower, "letters are lower case: repeats"),
        ]
        head = f"{self.split}: {self.windows:,} windows of {self.length:,} bases from {self.rows:,} intervals"
        return "; ".join([head, *(f"{count:,} {text}" for count, text in notes if count)])


@dataclass(frozen=True, eq=False)
class Windows:
    """A sequence of `Window`, computed when asked for: it holds one entry a row, and one a skipped window.

    Attributes:
        rows: the intervals that are cut; limits (n,) int64: the length of each one's contig.
        first: (n + 1,) int64, the number of the first window of each row, skipped ones counted too, and their total.
        skipped: the numbers, in that count, of windows left out, ascending.
    """

    rows: Intervals
    limits: np.ndarray
    first: np.ndarray
    length: int
    report: WindowReport
    skipped: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def split(self) -> str:
        return self.report.split

    def __len__(self) -> int:
        return int(self.first[-1]) - len(self.skipped)

    def __getitem__(self, i: int) -> Window:
        if not -len(self) <= i < len(self):
            raise IndexError(f"window {i} of {len(self)}")
        (window,) = self.at(np.array([i % len(self)]))
        return window

    def __iter__(self) -> Iterator[Window]:
        return (self[i] for i in range(len(self)))

    def at(self, numbers: np.ndarray) -> list[Window]:
        """Windows by their numbers (m,), each from 0 to ``len(self) - 1``."""
        rows, starts = self.locate(numbers)
        # Official behaviour in a contig shorter than a window: Python reads the negative start from the contig's end.
        begins = np.where(starts >= 0, starts, np.maximum(0, self.limits[rows] + starts))
        names = (self.rows.contigs[contig] for contig in self.rows.contig[rows])
        return [Window(*w) for w in zip(names, begins.tolist(), (starts + self.length).tolist(), strict=True)]

    def locate(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row and start of windows (m,); a start below 0 says that the contig is shorter than a window."""
        return self.locate_cut(numbers + np.searchsorted(self._left_before_skipped, numbers, side="right"))

    def locate_cut(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same, for windows numbered with the skipped ones counted."""
        row = np.searchsorted(self.first, numbers, side="right") - 1
        start = self.rows.start[row] + (numbers - self.first[row]) * self.length
        return row, np.minimum(start, self.limits[row] - self.length)

    @cached_property
    def _left_before_skipped(self) -> np.ndarray:
        """How many windows are left before each skipped one."""
        return self.skipped - np.arange(len(self.skipped))
