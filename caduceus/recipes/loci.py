"""Loci of a recipe: from ``contig:start-end`` and from a BED file, checked against the genome."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from caduceus.data import ContigNames, Genome, bed_regions

_WRITTEN = re.compile(r"(?P<contig>.+):(?P<start>[\d,]+)-(?P<end>[\d,]+)")
_ERRORS_SHOWN = 5


class Locus(NamedTuple):
    """Bases [start, end) of a contig, counted from 0; ``str`` counts from 1, both ends included.

    >>> str(Locus("chr20", 99, 200))
    'chr20:100-200'
    """

    contig: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.contig}:{self.start + 1}-{self.end}"


def counted(loci: int) -> str:
    """How many, as it is said.

    >>> counted(1), counted(1200)
    ('1 locus', '1,200 loci')
    """
    return f"{loci:,} {'locus' if loci == 1 else 'loci'}"


def parse_locus(text: str) -> Locus:
    """A locus as genome browsers write it.

    >>> parse_locus("chr20:42,984,160-42,984,444")
    Locus(contig='chr20', start=42984159, end=42984444)
    >>> parse_locus("chr20")
    Traceback (most recent call last):
    ...
    ValueError: locus 'chr20': expected contig:start-end, counted from 1, both ends included
    """
    found = _WRITTEN.fullmatch(text.strip())
    if not found:
        raise ValueError(f"locus {text!r}: expected contig:start-end, counted from 1, both ends included")
    start, end = (int(found[name].replace(",", "") or 0) for name in ("start", "end"))
    if not 1 <= start <= end:
        raise ValueError(
            f"locus {text!r}: start is {start} and end {end}, expected 1 or more, and an end not before it"
        )
    return Locus(found["contig"], start - 1, end)


def read_loci(written: Iterable[str], bed: str | None, genome: Genome) -> list[Locus]:
    """Loci in their order, each once, by the genome's names of its contigs.

    Raises:
        ValueError: one is malformed, not inside the genome, or holds another letter than A, C, G and T; the first few.
    """
    names = ContigNames(genome.contigs)
    found: list[Locus] = []
    errors: list[str] = []
    for text in written:
        try:
            locus = parse_locus(text)
            found.append(_inside(locus._replace(contig=names.called(locus.contig)), genome))
        except ValueError as error:
            errors.append(str(error))
    if bed:
        found += [Locus(*region[:3]) for region in bed_regions(bed, genome)]
    errors += _unreadable(found, genome)
    if errors:
        more = len(errors) - _ERRORS_SHOWN
        raise ValueError("\n  ".join([*errors[:_ERRORS_SHOWN], *([f"and {more} more"] if more > 0 else [])]))
    return list(dict.fromkeys(found))


def _inside(locus: Locus, genome: Genome) -> Locus:
    genome.check(locus.contig)
    length = genome.contigs[locus.contig]
    if locus.end > length:
        raise ValueError(f"locus {locus} is not inside {locus.contig!r}, which has {length:,} bases")
    return locus


def _unreadable(loci: Iterable[Locus], genome: Genome) -> Iterator[str]:
    for locus in loci:
        bases = genome.fetch(*locus).upper()
        other = [i for i, base in enumerate(bases) if base not in "ACGT"]
        if other:
            first = f"{bases[other[0]]} at {locus.contig}:{locus.start + other[0] + 1}"
            yield f"locus {locus} holds {len(other):,} letters other than A, C, G, T, the first {first}; leave them out"
