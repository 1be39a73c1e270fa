"""What is known of a variant besides its scores: the split it lies in, and the truth that it is held against."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import numpy as np

from caduceus.data import Allele, ContigNames, Genome, Intervals, Record, VariantFile
from caduceus.data.intervals import SPLITS, shares_base
from caduceus.recipes.variant_scoring import Truth


class SplitOf:
    """The split of the interval that an allele lies in, "" outside all; train goes before valid, valid before test."""

    def __init__(self, intervals: Intervals, genome: Genome) -> None:
        names = ContigNames(genome.contigs)
        self._ranges: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = {}
        for code, contig in enumerate(intervals.contigs):
            for number, split in enumerate(SPLITS):
                chosen = (intervals.contig == code) & (intervals.split == number)
                ranges = intervals.start[chosen], intervals.end[chosen]
                self._ranges[names.called(contig), split] = ranges

    def __call__(self, allele: Allele) -> str:
        start, end = np.array([allele.start]), np.array([allele.end])
        for split in SPLITS:
            ranges = self._ranges.get((allele.contig, split))
            if ranges is not None and shares_base(start, end, *ranges)[0]:
                return split
        return ""


class TruthOf:
    """The truth of each alternate allele of a record, as `Truth` says; NaN where there is none.

    Raises:
        ValueError: a table has no such column.
    """

    def __init__(self, truth: Truth, file: VariantFile) -> None:
        self.truth, self._is_vcf = truth, file.is_vcf
        if not file.is_vcf and truth.field not in file.columns:
            raise ValueError(
                f"{file.path} has no column {truth.field!r} for truth.field; it has {', '.join(file.columns)}"
            )
        self._column = 7 if file.is_vcf else file.columns.index(truth.field)

    def __call__(self, record: Record) -> list[float]:
        text = record.fields[self._column]
        if self._is_vcf:
            entries = (entry.partition("=") for entry in text.split(";"))
            text = next((value for name, _, value in entries if name == self.truth.field), "")
        given, alts = text.split(","), len(record.alts)
        # One for all, one each, or the reference's first (Number=R); of any other number, nobody knows whose they are.
        each = {1: given * alts, alts: given, alts + 1: given[1:]}.get(len(given), [""] * alts)
        return [self._told(_number(value)) for value in each]

    def refuse_none(self, file: VariantFile) -> None:
        """ValueError unless some allele of the file has a truth; what is read until then is little, where one has."""
        first = None
        for record in file:
            first = first or record
            if not all(np.isnan(self(record))):
                return
        seen = "" if first is None else f"; line {first.line} has {first.fields[self._column][:100]!r}"
        raise ValueError(f"{file.path} has no number in {self.truth.field!r}, given as truth.field{seen}")

    def _told(self, number: float) -> float:
        above, below = self.truth.above, self.truth.below
        if above is None or np.isnan(number):
            return number
        if number > above:
            return 1.0
        return 0.0 if number <= (above if below is None else below) else nan


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return nan


def oriented(numbers: Sequence[float], higher_is: str) -> np.ndarray:
    """Truths with the damaging ones high."""
    array = np.asarray(numbers, dtype=np.float64)
    if higher_is == "damaging":
        return array
    yes_or_no = set(array[~np.isnan(array)].tolist()) <= {0.0, 1.0}
    return 1 - array if yes_or_no else -array
