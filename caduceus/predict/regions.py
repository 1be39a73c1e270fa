"""`score_regions`: what the model makes of every base of a region.

entropy          of P over A, C, G, T, in bits: 0 sure, 2 no idea
ref_prob         P of the base that is there
log_likelihood   log2 P of the base that is there, in bits: 0 at best

Each base is predicted while it is masked. By itself, in its own window, where ``every`` is None; else every so many
bases of a tile are masked in one pass, which is much faster. Tiles lie on a grid of the contig, so that a base has the
same values in whatever region it is asked for; each is read with a flank on each side, of which nothing is kept, and
which bases are masked together is decided by the contig's positions, so that tile edges do not show.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from caduceus.alphabet import BASES
from caduceus.data import ContigNames, Genome, flank_of, is_base
from caduceus.predict.models import inner_spec, language_model, uses_masks
from caduceus.predict.passes import TOKENS, Row, base_logits, log_probabilities
from caduceus.predict.windows import Place, Window, WindowReader

TRACKS = ("entropy", "ref_prob", "log_likelihood")
_LOG2 = float(np.log(2))


@dataclass(frozen=True)
class Tiling:
    """How regions are read.

    Attributes:
        window: positions of one base's window, odd: on each side of a tile half of it is read besides.
        every: of so many bases one is masked in a pass, 2 or more; None: each base by itself.
        tile: bases whose predictions are kept from a tile.
        tokens: that the model reads at once.
    """

    window: int = 1025
    every: int | None = 8
    tile: int = 1024
    tokens: int = TOKENS

    def __post_init__(self) -> None:
        flank_of(self.window)
        for name, least in (("every", 2), ("tile", 1), ("tokens", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} is {value}, expected at least {least}")


class Piece(NamedTuple):
    """Bases [start, end) of a contig and their tracks, name -> (end - start,) float64; NaN where there is no base."""

    contig: str
    start: int
    end: int
    tracks: dict[str, np.ndarray]


class RegionScorer:
    """Scores regions piece by piece, in constant memory."""

    def __init__(self, model: Any, genome: Genome, tiling: Tiling | None = None) -> None:
        self.tiling = tiling or Tiling()
        self.model = language_model(model)
        self.genome, self.flank = genome, flank_of(self.tiling.window)
        self._read = WindowReader(genome, self.flank, inner_spec(model).n_as)
        self._masks = uses_masks(model)

    def __call__(self, contig: str, start: int, end: int) -> Iterator[Piece]:
        """The tiles of a region, cut to it, in order.

        Raises:
            ValueError: the region is not inside the genome, or a window passes the contig's end and the model ignores
                masks.
        """
        self.genome.check(contig, start, end)
        self.refuse_edges(contig, start, end)
        for first, last in self._tiles(contig, start, end):
            begin, stop = max(first, start), min(last, end)
            found = self._tile(contig, first, last)[begin - first : stop - first]
            yield Piece(contig, begin, stop, dict(zip(TRACKS, found.T, strict=True)))

    def _tile(self, contig: str, first: int, last: int) -> np.ndarray:
        """The tracks (last - first, 3) of a tile."""
        values = np.full((last - first, len(TRACKS)), np.nan)
        whole = self._read(Place(contig, first, last, self.genome.fetch(contig, first, last).upper()))
        rows = self._alone(contig, first, whole) if self.tiling.every is None else self._together(first, whole)
        for kept, logits in base_logits(self.model, rows, self.tiling.tokens):
            inside = [(i, at) for i, at in enumerate(kept) if 0 <= at < last - first]
            for i, at in inside:
                true = int(whole.ids[self.flank + at]) - BASES[0]
                values[at] = _told(log_probabilities(logits[i]), true)
        return values

    def _alone(self, contig: str, first: int, whole: Window) -> Iterator[tuple[tuple[int, ...], Row]]:
        """A window for each base of the tile; the key says which."""
        for at in range(len(whole.ids) - 2 * self.flank):
            if is_base(whole.ids[self.flank + at]):
                ids, valid = (x[at : at + 2 * self.flank + 1] for x in whole)
                yield (at,), Row(Window(ids, valid), (self.flank,))

    def _together(self, first: int, whole: Window) -> Iterator[tuple[tuple[int, ...], Row]]:
        """The tile once for each share of its bases, by their positions in the contig, flanks too."""
        every = self.tiling.every or 1
        position = np.arange(len(whole.ids)) + first - self.flank
        for share in range(every):
            masked = np.flatnonzero((position % every == share) & whole.valid & is_base(whole.ids))
            if len(masked):
                yield tuple((masked - self.flank).tolist()), Row(whole, tuple(masked.tolist()))

    def refuse_edges(self, contig: str, start: int, end: int) -> None:
        """Raise ValueError if a region's tiles need what lies outside the contig, and the model ignores masks."""
        tiles = list(self._tiles(contig, start, end))
        limit = self.genome.contigs[contig]
        if tiles and not self._masks and (tiles[0][0] < self.flank or tiles[-1][1] + self.flank > limit):
            raise ValueError(
                f"{contig}:{start}-{end} is nearer than {self.flank} bases and a tile to the end of its contig, and "
                "the model has mixers that ignore masks; leave the ends out, or take a smaller window"
            )

    def _tiles(self, contig: str, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The tiles that a region lies in; where each base is masked by itself, cut to the region."""
        size = self.tiling.tile
        for first in range(start // size * size, end, size):
            last = min(first + size, self.genome.contigs[contig])
            yield (max(first, start), min(last, end)) if self.tiling.every is None else (first, last)


def _told(log_p: np.ndarray, true: int) -> tuple[float, float, float]:
    p = np.exp(log_p)
    a, c, g, t = (p * log_p).tolist()
    return -((a + t) + (c + g)) / _LOG2, float(p[true]), float(log_p[true]) / _LOG2


def score_regions(
    model: Any,
    fasta: Genome | str | os.PathLike[str],
    regions: Iterable[tuple[str, int, int]],
    *,
    tiling: Tiling | None = None,
) -> list[Piece]:
    """Entropy, reference probability and log-likelihood of every base of some regions.

    Args:
        model: with a masked-LM head; a plain model is averaged over both strands.
        fasta: the genome.
        regions: tuples (contig, start, end), counted from 0, end excluded; ``20`` and ``chr20`` are one contig.

    Returns:
        A `Piece` for each region, in order, with the genome's name of its contig; N and other letters than A, C, G, T
        are NaN.

    Raises:
        ValueError: a region is not inside the genome, or the model has no masked-LM head.

    >>> import caduceus
    >>> from caduceus import parts
    >>> from caduceus.data import ecoli_path
    >>> spec = parts.Model(embedding=parts.Embedding(d_model=8), mixers=[parts.BiMamba()], head=parts.MaskedLM())
    >>> regions = [("K-12-MG1655", 0, 20)]
    >>> (piece,) = score_regions(caduceus.build(spec), ecoli_path(), regions, tiling=Tiling(33, tile=16))
    >>> {name: track.shape for name, track in piece.tracks.items()}
    {'entropy': (20,), 'ref_prob': (20,), 'log_likelihood': (20,)}
    """
    genome = fasta if isinstance(fasta, Genome) else Genome(fasta)
    scorer, names = RegionScorer(model, genome, tiling), ContigNames(genome.contigs)
    found = []
    for given, start, end in regions:
        contig = names.called(given)
        pieces = list(scorer(contig, start, end))
        tracks = {name: np.concatenate([np.zeros(0), *(piece.tracks[name] for piece in pieces)]) for name in TRACKS}
        found.append(Piece(contig, start, end, tracks))
    return found
