"""What a variant's score must beat: what counting, and where the variant lies, already tell.

trinucleotide   log P(alt | its two neighbours) - log P(ref | them), counted over the genome on both strands
cpg             1 for a transition at a CpG, the commonest mutation, else 0
tss_distance    bases to the nearest start of transcription
copied_llr      the model's llr with the reference copied to the alternate: 0, whatever the model; it ranks nothing
untrained_llr   the llr of the same network with its initial weights
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator
from math import log, nan
from pathlib import Path

from caduceus.alphabet import BASES, tokenize
from caduceus.data import Allele, Bases, ContextModel, ContigNames, Genome, IntervalIds, Intervals
from caduceus.data.bed import regions

_PIECE = 1 << 16
_TRANSITIONS = {("C", "T"), ("G", "A")}


class Composition:
    """The scores ``trinucleotide`` and ``cpg`` of substitutions of one base; NaN for others, and next to N.

    Args:
        genome: what is counted, at most ``bases`` of it, in evenly spaced pieces.
    """

    def __init__(self, genome: Genome, bases: int = 50_000_000) -> None:
        self._bases = Bases(genome)
        self._lengths = genome.contigs
        pieces = [
            (name, start, min(start + _PIECE, length), "train")
            for name, length in genome.contigs.items()
            for start in range(0, length, _PIECE)
        ]
        step = max(1, -(-sum(genome.contigs.values()) // bases))
        counted = Intervals.from_rows(pieces[::step])
        self._counts = ContextModel.fit(IntervalIds(genome, counted), left=1, right=1)

    def __call__(self, allele: Allele) -> tuple[float, float]:
        """trinucleotide, cpg."""
        around = self._around(allele)
        if around is None:
            return nan, nan
        left, ref, right = tuple(around)
        codes = [tokenize(base)[0] - BASES[0] for base in (left, right, ref, allele.alt)]
        counts = self._counts.counts[codes[0] * 4 + codes[1]] + self._counts.pseudocount
        mutable = (ref == "C" and right == "G") or (ref == "G" and left == "C")
        return log(counts[codes[3]]) - log(counts[codes[2]]), float(mutable and (ref, allele.alt) in _TRANSITIONS)

    def _around(self, allele: Allele) -> str | None:
        if len(allele.ref) != 1 or len(allele.alt) != 1:
            return None
        if not 0 < allele.start < self._lengths[allele.contig] - 1:
            return None
        text = self._bases.fetch(allele.contig, allele.start - 1, allele.end + 1)
        return None if text.strip("ACGT") else text


class Starts:
    """Starts of transcription, from a BED file of genes or transcripts.

    With a strand (+ or -) in the sixth field, a gene begins at its start or at its last base; without, both ends count,
    and the distance is that to the nearest end of a gene.

    Raises:
        FileNotFoundError: there is no such file. ValueError: a line is malformed, or no gene is on the genome.
    """

    def __init__(self, path: str | os.PathLike[str], genome: Genome) -> None:
        names = ContigNames(genome.contigs)
        found: dict[str, list[int]] = {}
        for contig, position in _starts(Path(path).expanduser()):
            if known := names.find(contig):
                found.setdefault(known, []).append(position)
        if not found:
            raise ValueError(f"{path} has no gene on a contig of {genome.path.name}")
        self._at = {contig: sorted(positions) for contig, positions in found.items()}

    def __call__(self, allele: Allele) -> float:
        """Bases from the allele's nearer end to the nearest start; NaN on a contig without any."""
        at = self._at.get(allele.contig)
        if not at:
            return nan
        i = bisect_left(at, allele.start)
        before = [allele.start - at[i - 1]] if i else []
        after = [max(0, at[i] - (allele.end - 1))] if i < len(at) else []
        return float(min(before + after))


def _starts(path: Path) -> Iterator[tuple[str, int]]:
    if not path.is_file():
        raise FileNotFoundError(f"no genes at {path}; expected a BED file: contig, start, end, name, score, strand")
    for _, fields in regions(path):
        strand = fields[5] if len(fields) > 5 else "."
        if strand != "-":
            yield fields[0], int(fields[1])
        if strand != "+":
            yield fields[0], int(fields[2]) - 1
