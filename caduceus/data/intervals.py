"""Intervals of a genome and the split each belongs to: train, valid or test."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from caduceus.data.bed import fields
from caduceus.data.genome import Genome
from caduceus.data.text import opened

SPLITS = ("train", "valid", "test")
_ERRORS_SHOWN = 5


class Row(NamedTuple):
    """One interval [start, end) counted from 0, and the line of the file it was read from (0 if from none)."""

    contig: str
    start: int
    end: int
    split: str
    line: int = 0


@dataclass(frozen=True, eq=False)
class Intervals:
    """Intervals as arrays: a genome's worth takes 21 bytes a row.

    Attributes:
        source: what to call them in messages, such as the path they were read from.
        contigs: the contig names that ``contig`` counts in.
        contig: (n,) int32; start, end: (n,) int64; split: (n,) int8, an index into `SPLITS`; line: (n,) int64.

    >>> rows = Intervals.from_rows([("chr1", 0, 100, "train"), ("chr1", 100, 150, "test")])
    >>> rows.counts(), list(rows.of("test"))
    ({'train': 1, 'test': 1}, [Row(contig='chr1', start=100, end=150, split='test', line=0)])
    """

    source: str
    contigs: tuple[str, ...]
    contig: np.ndarray
    start: np.ndarray
    end: np.ndarray
    split: np.ndarray
    line: np.ndarray

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Intervals:
        """Read a BED file, gzip or not: contig, start, end, split, separated by tabs or spaces.

        Blank lines, lines that begin with ``#``, ``track`` or ``browser``, and a header whose second field is ``start``
        or ``chromStart`` are passed over; fields after the fourth are ignored.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: a line cannot be understood; the first few are listed with their numbers.
        """
        source = Path(path).expanduser()
        if not source.is_file():
            raise FileNotFoundError(f"no intervals at {source}; expected a BED file: contig, start, end, split")
        rows: list[Row] = []
        errors: list[str] = []
        with opened(source) as file:
            for number, text in enumerate(file, 1):
                found = fields(text)
                headed = not rows and not errors and found[1:2] in (["start"], ["chromStart"])
                if not found or headed:
                    continue
                try:
                    rows.append(_row(found, number))
                except ValueError as error:
                    errors.append(f"line {number}: {error}")
        _report(str(source), errors)
        if not rows:
            raise ValueError(f"{source} has no intervals, expected at least one line: contig, start, end, split")
        return cls.from_rows(rows, source=str(source))

    @classmethod
    def from_rows(cls, rows: Iterable[tuple[str, int, int, str] | Row], source: str = "the intervals") -> Intervals:
        """Intervals from tuples (contig, start, end, split)."""
        table = [Row(*row) for row in rows]
        contigs = tuple(dict.fromkeys(row.contig for row in table))
        code = {name: i for i, name in enumerate(contigs)}
        return cls(
            source,
            contigs,
            np.array([code[row.contig] for row in table], dtype=np.int32),
            np.array([row.start for row in table], dtype=np.int64),
            np.array([row.end for row in table], dtype=np.int64),
            np.array([SPLITS.index(row.split) for row in table], dtype=np.int8),
            np.array([row.line for row in table], dtype=np.int64),
        )

    @classmethod
    def of_genome(cls, genome: Genome, *, valid: float = 0.05, test: float = 0.05) -> Intervals:
        """Whole contigs, each cut in three: train, then this share of it as valid, then this share as test."""
        if min(valid, test) < 0 or valid + test >= 1:
            raise ValueError(f"valid is {valid} and test {test}, expected shares that leave some for training")
        rows = []
        for name, length in genome.contigs.items():
            cuts = [0, round(length * (1 - valid - test)), round(length * (1 - test)), length]
            parts = zip(cuts[:-1], cuts[1:], SPLITS, strict=True)
            rows += [(name, start, end, split) for start, end, split in parts if start < end]
        return cls.from_rows(rows, source=f"the contigs of {genome.path.name}")

    def check(self, genome: Genome) -> None:
        """Raise ValueError unless each interval lies inside a contig of ``genome``: which do not, and how many."""
        errors = []
        for code, name in enumerate(self.contigs):
            here = self.take(self.contig == code)
            if not len(here):
                continue
            try:
                genome.check(name)
            except ValueError as error:
                errors.append(f"{error} ({len(here):,} of {len(self):,} intervals)")
                continue
            for row in here.take((here.start < 0) | (here.end > genome.contigs[name])):
                try:
                    genome.check(row.contig, row.start, row.end)
                except ValueError as error:
                    errors.append(f"line {row.line}: {error}" if row.line else str(error))
        _report(self.source, errors)

    def of(self, split: str) -> Intervals:
        """The intervals of one split; an error if there are none."""
        if split not in SPLITS:
            raise ValueError(f"split is {split!r}, expected one of {', '.join(SPLITS)}")
        chosen = self.take(self.split == SPLITS.index(split))
        if not len(chosen):
            present = ", ".join(f"{name} {count}" for name, count in self.counts().items()) or "none at all"
            raise ValueError(f"{self.source} has no intervals of split {split!r}; it has: {present}")
        return chosen

    def take(self, which: np.ndarray) -> Intervals:
        """The intervals that a boolean or index array chooses."""
        columns = {name: getattr(self, name)[which] for name in ("contig", "start", "end", "split", "line")}
        return replace(self, **columns)

    def counts(self) -> dict[str, int]:
        """Split -> number of intervals, for the splits that have any."""
        numbers = np.bincount(self.split, minlength=len(SPLITS)).tolist()
        return {name: number for name, number in zip(SPLITS, numbers, strict=True) if number}

    def overlapping(self, others: Intervals) -> np.ndarray:
        """Which intervals share at least one base with any of ``others`` (n,) bool; both count in the same contigs."""
        if self.contigs != others.contigs:
            raise ValueError("overlapping compares intervals cut from the same table, as `of` and `take` cut them")
        found = np.zeros(len(self), dtype=bool)
        for code in np.unique(self.contig):
            mine = self.contig == code
            theirs = others.contig == code
            found[mine] = shares_base(self.start[mine], self.end[mine], others.start[theirs], others.end[theirs])
        return found

    def __len__(self) -> int:
        return len(self.start)

    def __iter__(self) -> Iterator[Row]:
        for i in range(len(self)):
            name, split = self.contigs[self.contig[i]], SPLITS[self.split[i]]
            yield Row(name, int(self.start[i]), int(self.end[i]), split, int(self.line[i]))


def shares_base(start: np.ndarray, end: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Which of the ranges [start, end) share a base with any of the ranges [starts, ends), all on one contig.

    >>> shares_base(np.array([0, 10]), np.array([10, 20]), np.array([19]), np.array([30])).tolist()
    [False, True]
    """
    begun = np.searchsorted(np.sort(starts), end, side="left")
    over = np.searchsorted(np.sort(ends), start, side="right")
    return begun > over


def _row(found: list[str], line: int) -> Row:
    if len(found) < 4:
        raise ValueError(f"{len(found)} fields, expected contig, start, end, split")
    contig, start, end, split = found[:4]
    for name, number in (("start", start), ("end", end)):
        if not (number.isascii() and number.isdigit()):
            raise ValueError(f"{name} is {number!r}, expected a whole number, 0 or more")
    if int(start) >= int(end):
        raise ValueError(f"start {start} is not before end {end}")
    if split not in SPLITS:
        close = difflib.get_close_matches(split, SPLITS, n=1, cutoff=0.5)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"split is {split!r}, expected one of {', '.join(SPLITS)}{hint}")
    return Row(contig, int(start), int(end), split, line)


def _report(source: str, errors: list[str]) -> None:
    if errors:
        more = len(errors) - _ERRORS_SHOWN
        shown = "\n  ".join([*errors[:_ERRORS_SHOWN], *([f"and {more} more"] if more > 0 else [])])
        raise ValueError(f"{source}:\n  {shown}")
