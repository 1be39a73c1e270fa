"""Cutting windows from intervals.

sound      each interval [start, end) as written, cut into windows that lie inside it; intervals that overlap a split
           which must stay unseen are dropped, and windows without a single A, C, G or T are skipped
official   every interval is taken to reach 2^20 bases from its start, whatever its end, and cut into windows; one that
           passes the end of its contig is moved back to end there (official behaviour: windows overlap and repeat, and
           those of one split cover intervals of another)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from caduceus.data.genome import Genome, is_base
from caduceus.data.intervals import SPLITS, Intervals, shares_base
from caduceus.data.letters import Letters, letters_of
from caduceus.data.windows import UNSEEN, Protocol, WindowReport, Windows

OFFICIAL_EXTENT = 1 << 20
_SCAN = 1 << 22


def cut_windows(intervals: Intervals, genome: Genome, split: str, length: int, protocol: Protocol = "sound") -> Windows:
    """Windows of ``length`` bases from the intervals of one split, by the name of the protocol."""
    if protocol not in ("sound", "official"):
        raise ValueError(f'protocol is {protocol!r}, expected "sound" or "official"')
    return (sound_windows if protocol == "sound" else official_windows)(intervals, genome, split, length)


def sound_windows(intervals: Intervals, genome: Genome, split: str, length: int) -> Windows:
    """Windows inside the intervals of one split, none of which a split that must stay unseen overlaps.

    An interval of train is dropped if it shares a base with one of valid or test, one of valid if it does with one of
    test. Every interval is read once, to find the windows without A, C, G, T and to count other letters.

    Raises:
        ValueError: no intervals of that split, an interval outside the genome, or no window left; with the reason.
    """
    rows, unseen = _rows(intervals, genome, split, length)
    overlapping = rows.overlapping(unseen)
    kept = rows.take(~overlapping)
    counts = (kept.end - kept.start) // length
    windows = Windows(
        kept,
        _limits(kept, genome),
        _cumulative(counts),
        length,
        WindowReport(
            "sound",
            split,
            length,
            len(rows),
            int(overlapping.sum()),
            rows_short=int((counts == 0).sum()),
            bases_unused=int((kept.end - kept.start - counts * length).sum()),
        ),
    )
    windows = _counted(_without_empty(windows, genome), unseen)
    if not len(windows):
        longest = int((kept.end - kept.start).max(initial=0))
        raise ValueError(
            f"{intervals.source} gives no window of {length} bases for {split}: {windows.report}; "
            f"the longest interval left has {longest} bases"
        )
    return windows


def official_windows(
    intervals: Intervals, genome: Genome, split: str, length: int, extent: int = OFFICIAL_EXTENT
) -> Windows:
    """Windows that the authors' dataset cuts: ``extent // length`` from each interval's start on, whatever its end.

    Raises:
        ValueError: no intervals of that split, an interval outside the genome, or a length that does not divide 2^20.
    """
    if length < 1 or extent % length:
        raise ValueError(f"window length is {length}, expected a divisor of {extent}, as the official protocol asks")
    rows, unseen = _rows(intervals, genome, split, length)
    counts = np.full(len(rows), extent // length)
    limits = _limits(rows, genome)
    seen = Letters()
    for code in np.unique(rows.contig):
        here = rows.contig == code
        begin = np.minimum(rows.start[here], np.maximum(0, limits[here] - length))
        end = np.minimum(rows.start[here] + extent, limits[here])
        letters_of(genome, rows.contigs[code], begin, end, seen)
    report = _lettered(WindowReport("official", split, length, len(rows)), seen)
    return _counted(Windows(rows, limits, _cumulative(counts), length, report), unseen)


def _rows(intervals: Intervals, genome: Genome, split: str, length: int) -> tuple[Intervals, Intervals]:
    """The intervals of the split, and those it must not see."""
    if length < 1:
        raise ValueError(f"window length is {length}, expected at least 1")
    intervals.check(genome)
    unseen = [SPLITS.index(name) for name in UNSEEN[split]] if split in UNSEEN else []
    return intervals.of(split), intervals.take(np.isin(intervals.split, unseen))


def _limits(rows: Intervals, genome: Genome) -> np.ndarray:
    lengths = np.array([genome.contigs.get(name, 0) for name in rows.contigs], dtype=np.int64)
    return lengths[rows.contig]


def _cumulative(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _without_empty(windows: Windows, genome: Genome) -> Windows:
    """The windows that hold a base, and the letters of all of them counted."""
    length, per_read = windows.length, max(1, _SCAN // windows.length)
    skipped, seen = [], Letters()
    for row, interval in enumerate(windows.rows):
        first, stop = int(windows.first[row]), int(windows.first[row + 1])
        for number in range(first, stop, per_read):
            count = min(per_read, stop - number)
            start = interval.start + (number - first) * length
            ids = seen.read_ids(genome, interval.contig, start, start + count * length).reshape(count, length)
            known = is_base(ids).sum(axis=1)
            skipped.append(number + np.flatnonzero(known == 0))
    empty = np.concatenate([np.zeros(0, dtype=np.int64), *skipped])
    report = replace(_lettered(windows.report, seen), windows_empty=len(empty))
    return replace(windows, skipped=empty, report=report)


def _lettered(report: WindowReport, seen: Letters) -> WindowReport:
    n, other, lower = seen.counts()
    return replace(report, letters_n=n, letters_other=other, letters_lower=lower)


def _counted(windows: Windows, unseen: Intervals) -> Windows:
    """With the counts of what is left in the report; contig by contig, to save memory."""
    repeated = overlapping = 0
    for code in np.unique(windows.rows.contig):
        rows = np.flatnonzero(windows.rows.contig == code)
        numbers = np.concatenate([np.arange(windows.first[row], windows.first[row + 1]) for row in rows])
        start = windows.locate_cut(np.setdiff1d(numbers, windows.skipped, assume_unique=True))[1]
        there = unseen.contig == code
        repeated += len(start) - len(np.unique(start))
        overlapping += int(shares_base(start, start + windows.length, unseen.start[there], unseen.end[there]).sum())
    report = replace(windows.report, windows=len(windows), windows_repeated=repeated, windows_overlapping=overlapping)
    return replace(windows, report=report)
