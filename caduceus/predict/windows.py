"""Windows around alleles, as a model reads them.

A window is an allele with ``flank`` bases on each side, so it mirrors on itself: its reverse complement is the window
of the reverse-complemented allele. Around one base it has 2 flank + 1 positions, an odd number. What lies outside the
contig is masked, not invented.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from caduceus.alphabet import PAD, N
from caduceus.data import Allele, Bases, Genome, letter_ids


class Window(NamedTuple):
    """``ids`` (L,) uint8; ``valid`` (L,) bool, False outside the contig; the allele is [flank, L - flank)."""

    ids: np.ndarray
    valid: np.ndarray


class Place(NamedTuple):
    """Bases [start, end) of a contig replaced by ``bases``: the same for all alleles that share a window."""

    contig: str
    start: int
    end: int
    bases: str


def trimmed(allele: Allele) -> Allele:
    """A substitution without the bases at its ends that do not change; others as they are.

    What an insertion or a deletion shares at its ends may belong to either end: nothing is cut from it.

    >>> trimmed(Allele("1", 10, 14, "ACGT", "ATTT"))
    Allele(contig='1', start=11, end=13, ref='CG', alt='TT')
    """
    changed = [i for i, (a, b) in enumerate(zip(allele.ref, allele.alt, strict=False)) if a != b]
    if len(allele.ref) != len(allele.alt) or not changed:
        return allele
    first, last = changed[0], changed[-1] + 1
    start = allele.start
    return Allele(allele.contig, start + first, start + last, allele.ref[first:last], allele.alt[first:last])


class WindowReader:
    """Reads windows from a genome.

    Args:
        flank: bases on each side of an allele.
        n_as: "pad" reads N as [PAD], "n" as itself: what the model was trained with.
    """

    def __init__(self, genome: Genome, flank: int, n_as: str) -> None:
        self.genome, self.flank, self.n_as = genome, flank, n_as
        self._bases = Bases(genome)

    def __call__(self, place: Place) -> Window:
        limit = self.genome.contigs[place.contig]
        before = max(0, place.start - self.flank), place.start
        after = place.end, min(limit, place.end + self.flank)
        text = self._bases.fetch(place.contig, *before) + place.bases + self._bases.fetch(place.contig, *after)
        here = letter_ids(np.frombuffer(text.encode("latin-1"), dtype=np.uint8))
        if self.n_as == "pad":
            here = np.where(here == N, np.uint8(PAD), here)
        missing = self.flank - (before[1] - before[0]), self.flank - (after[1] - after[0])
        ids = np.pad(here, missing, constant_values=PAD)
        return Window(ids, np.pad(np.ones(len(here), dtype=bool), missing))
