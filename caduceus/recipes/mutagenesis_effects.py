"""Measured effects of single bases: read, checked against the genome, looked up by position."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from caduceus.data import REASONS, Allele, Genome, Judge, Record, VariantFile, survey
from caduceus.recipes.loci import Locus
from caduceus.recipes.mutagenesis import Measured
from caduceus.recipes.mutagenesis_table import LETTERS
from caduceus.recipes.variant_facts import TruthOf
from caduceus.recipes.variant_scoring import Truth

# Why an effect is not compared, by the word that stands in the results.
WHY_NOT = {
    **REASONS,
    "not_one_base": "an allele is not one base",
    "no_number": "the effect is no number",
    "not_in_a_locus": "the position lies in no locus",
}
_LONGEST = 50
_MOST_MISMATCHED = 0.01
_VALUES_SHOWN = 8


class Effects:
    """The effects of a file on the bases of some loci.

    Attributes:
        counts: "rows" that were taken, "compared" of them: substitutions of one base in a locus, with a number; and how
            many others, by a word of `WHY_NOT`.

    Raises:
        ValueError: a column is missing, no row is taken, too many references are not what the genome has, a change is
            measured twice, or none lies in a locus.
    """

    def __init__(self, measured: Measured, path: str, genome: Genome, loci: Sequence[Locus]) -> None:
        file = VariantFile(path)
        records = _taken(file, measured)
        effect_of = TruthOf(Truth(field=measured.field), file)
        survey(records, Judge(genome, _LONGEST), most_mismatched=_MOST_MISMATCHED)
        self._effects: dict[tuple[str, int, str], float] = {}
        judge, inside = Judge(genome, _LONGEST), _Inside(loci)
        counts: Counter[str] = Counter(rows=len(records))
        for record in records:
            for judged, effect in zip(judge(record), effect_of(record), strict=True):
                why = _why_not(judged, effect, inside)
                counts[why or "compared"] += 1
                if isinstance(judged, Allele) and not why:
                    self._add(record, judged, effect, path)
        self.counts = dict(counts)
        if not self._effects:
            raise ValueError(f"{path} has no effect of a single base in the loci: {self.counts}")

    def of(self, contig: str, start: int, reference: str) -> np.ndarray:
        """(positions, 4) of A, C, G, T; NaN where nothing was measured."""
        found = [
            [self._effects.get((contig, start + i, base), np.nan) for base in LETTERS] for i in range(len(reference))
        ]
        return np.array(found).reshape(-1, len(LETTERS))

    def _add(self, record: Record, allele: Allele, effect: float, path: str) -> None:
        key = allele.contig, allele.start, allele.alt
        if key in self._effects:
            raise ValueError(
                f"{path}: line {record.line}: {record.contig}:{record.position} {record.ref}>{allele.alt} is measured "
                "twice; take one of them by measured.where, such as --set measured.where.Element=HNF4A"
            )
        self._effects[key] = effect


class _Inside:
    """Whether a position lies in a locus."""

    def __init__(self, loci: Iterable[Locus]) -> None:
        self._ranges: dict[str, list[tuple[int, int]]] = {}
        for contig, start, end in loci:
            self._ranges.setdefault(contig, []).append((start, end))

    def __call__(self, contig: str, position: int) -> bool:
        return any(start <= position < end for start, end in self._ranges.get(contig, ()))


def _why_not(judged: Allele | str, effect: float, inside: _Inside) -> str:
    """Why an allele is not compared, in a word; "" if it is."""
    if isinstance(judged, str):
        return judged
    if len(judged.ref) != 1 or len(judged.alt) != 1:
        return "not_one_base"
    if np.isnan(effect):
        return "no_number"
    return "" if inside(judged.contig, judged.start) else "not_in_a_locus"


def _taken(file: VariantFile, measured: Measured) -> list[Record]:
    """The rows that ``where`` and ``least`` choose."""
    wanted = [*measured.where, *measured.least]
    if wanted and file.is_vcf:
        raise ValueError(f"{file.path} is a VCF; measured.where and measured.least choose rows of a table")
    wanted += [] if file.is_vcf else [measured.field]
    if missing := [name for name in wanted if name not in file.columns]:
        raise ValueError(f"{file.path} has no column {', '.join(missing)}; it has {', '.join(file.columns)}")
    records = list(file)
    found = [record for record in records if _chosen(record, file.columns, measured)]
    if records and not found:
        raise ValueError("\n  ".join([f"{file.path}: no row has", *_told(records, file.columns, measured)]))
    return found


def _chosen(record: Record, columns: Sequence[str], measured: Measured) -> bool:
    value = dict(zip(columns, record.fields, strict=False))
    if any(value[name].strip() != str(expected) for name, expected in measured.where.items()):
        return False
    return all(_number(value[name]) >= least for name, least in measured.least.items())


def _number(text: str) -> float:
    """NaN, which nothing is at least, for what is no number."""
    try:
        return float(text)
    except ValueError:
        return np.nan


def _told(records: Sequence[Record], columns: Sequence[str], measured: Measured) -> Iterator[str]:
    """What was asked of the columns, and what they hold."""
    for name, asked in measured.where.items():
        held = list(dict.fromkeys(record.fields[list(columns).index(name)].strip() for record in records))
        more = ", ..." if len(held) > _VALUES_SHOWN else ""
        yield f"{name} = {asked}; it holds {', '.join(held[:_VALUES_SHOWN])}{more}"
    for name, least in measured.least.items():
        yield f"{name} of at least {least:g}"
