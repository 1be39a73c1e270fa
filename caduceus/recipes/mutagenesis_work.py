"""What turns stretches of loci into lines: the model, its controls, and what is known besides."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from caduceus.data import Allele, Genome, Intervals
from caduceus.predict.controls import Composition, Starts
from caduceus.predict.maps import Mapper
from caduceus.recipes.loci import Locus, read_loci
from caduceus.recipes.mutagenesis import Mutagenesis
from caduceus.recipes.mutagenesis_effects import Effects
from caduceus.recipes.mutagenesis_table import LETTERS, Piece
from caduceus.recipes.prepare import refusing
from caduceus.recipes.variant_facts import SplitOf

# A chunk is mapped by itself, so that the same loci give the same bits however often a run is interrupted.
CHUNK = 256


class Chunk(NamedTuple):
    """Bases [start, end) of a locus."""

    locus: Locus
    start: int
    end: int


class Work:
    """Everything that turns chunks into pieces of the table; Refused says what is wrong with the input.

    Attributes:
        loci: in their order. chunks: of all of them. effects: measured ones, None if there are none.
    """

    def __init__(self, recipe: Mutagenesis, files: dict[str, str]) -> None:
        self.recipe = recipe
        with refusing():
            self.model = recipe.load_model()
            self.genome = Genome(files["fasta"])
            self.mapper = Mapper(self.model, self.genome, recipe.window, recipe.tokens)
            self.loci = read_loci(recipe.loci, files.get("regions"), self.genome)
            for locus in self.loci:
                self.mapper.refuse(*locus, gradient=recipe.gradient)
            genes, intervals = files.get("controls.genes"), files.get("intervals")
            self.starts = Starts(genes, self.genome) if genes else None
            self.split = SplitOf(Intervals.read(intervals), self.genome) if intervals else None
            measured = recipe.measured
            self.effects = Effects(measured, files["measured.file"], self.genome, self.loci) if measured else None
        self.chunks = [
            Chunk(locus, start, min(start + CHUNK, locus.end))
            for locus in self.loci
            for start in range(locus.start, locus.end, CHUNK)
        ]
        self._gradient: tuple[Locus, np.ndarray] | None = None

    def begin_mapping(self) -> None:
        """What only mapping needs: the control weights, and the genome's trinucleotides."""
        controls = self.recipe.controls
        self.composition = Composition(self.genome, controls.composition_bases)
        self.untrained: Mapper | None = None
        if controls.untrained:
            fresh = self.recipe.untrained(self.model, controls.seed)
            self.untrained = Mapper(fresh, self.genome, self.recipe.window, self.recipe.tokens)

    def piece(self, chunk: Chunk) -> Piece:
        """The map of a chunk and its controls."""
        locus, start, end = chunk
        found = self.mapper(locus.contig, start, end, gradient=False)
        numbers = {"llr": found.llr, "probability": found.probability, **self._counted(found.reference, chunk)}
        if self.recipe.gradient:
            numbers["gradient"] = self._gradient_of(locus)[start - locus.start : end - locus.start]
        if self.untrained:
            numbers["untrained_llr"] = self.untrained(locus.contig, start, end, gradient=False).llr
        if self.effects:
            numbers["measured"] = self.effects.of(locus.contig, start, found.reference)
        return Piece(locus, start, found.reference, numbers, self._splits(chunk, found.reference))

    def _gradient_of(self, locus: Locus) -> np.ndarray:
        """The gradient of a whole locus, kept for its further chunks."""
        if self._gradient is None or self._gradient[0] != locus:
            self._gradient = locus, self.mapper.gradient(*locus)
        return self._gradient[1]

    def _counted(self, reference: str, chunk: Chunk) -> dict[str, np.ndarray]:
        """The controls that need no model; NaN for the reference, which changes nothing."""
        names = ("trinucleotide", "cpg", "tss_distance")
        table = np.full((len(names), len(reference), len(LETTERS)), np.nan)
        for i, ref in enumerate(reference):
            for j, alt in enumerate(LETTERS):
                if alt != ref:
                    allele = Allele(chunk.locus.contig, chunk.start + i, chunk.start + i + 1, ref, alt)
                    table[:2, i, j] = self.composition(allele)
                    table[2, i, j] = self.starts(allele) if self.starts else np.nan
        return dict(zip(names, table, strict=True))

    def _splits(self, chunk: Chunk, reference: str) -> tuple[str, ...]:
        if self.split is None:
            return ("",) * len(reference)
        places = range(chunk.start, chunk.end)
        bases = zip(places, reference, strict=True)
        return tuple(self.split(Allele(chunk.locus.contig, at, at + 1, ref, ref)) for at, ref in bases)
