"""Maps as a table, a line for each base at each position, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from caduceus.recipes.loci import Locus, parse_locus
from caduceus.recipes.variant_text import shown

TABLE = "mutagenesis.tsv"
LETTERS = "ACGT"
# Columns of numbers and what they are; empty where there is none.
NUMBERS = {
    "llr": "logit of the base minus that of the reference, the position masked, both strands; 0 for the reference",
    "probability": "of the base over A, C, G, T there",
    "gradient": "of the sum over the locus of log P(the base that is there), by this entry of the one-hot input",
    "untrained_llr": "control: llr of the same network with its initial weights",
    "trinucleotide": "control: log ratio of the counts of both trinucleotides",
    "cpg": "control: 1 for a transition at a CpG",
    "tss_distance": "control: bases to the nearest start of transcription",
    "measured": "the measured effect of the change",
}
COLUMNS = {
    "contig": "by the genome's name of it",
    "position": "of the base, counted from 1",
    "locus": "contig:start-end, counted from 1, both ends included",
    "ref": "the base that is there",
    "base": "A, C, G or T in its place; ref itself too",
    **NUMBERS,
    "split": "of the training interval that the position lies in",
}


class Piece(NamedTuple):
    """Positions [start, ...) of a locus.

    Attributes:
        reference: their bases. numbers: column -> (positions, 4) of A, C, G, T, NaN where there is none.
        splits: of each position, "" for none.
    """

    locus: Locus
    start: int
    reference: str
    numbers: Mapping[str, np.ndarray]
    splits: tuple[str, ...]


def header() -> str:
    return "\t".join(COLUMNS) + "\n"


def lines(piece: Piece) -> str:
    """A line for each base at each position."""
    absent = np.full((len(piece.reference), len(LETTERS)), np.nan)
    columns = [piece.numbers.get(name, absent) for name in NUMBERS]
    found = []
    for i, (ref, split) in enumerate(zip(piece.reference, piece.splits, strict=True)):
        for j, base in enumerate(LETTERS):
            place = (piece.locus.contig, str(piece.start + i + 1), str(piece.locus), ref, base)
            found.append("\t".join((*place, *(shown(float(column[i, j])) for column in columns), split)) + "\n")
    return "".join(found)


def read_pieces(path: Path) -> Iterator[Piece]:
    """Each locus of a table, whole, in its order."""
    with path.open(encoding="utf-8") as file:
        names = next(file).rstrip("\n").split("\t")
        at = {name: names.index(name) for name in COLUMNS}
        rows = (line.rstrip("\n").split("\t") for line in file)
        for name, group in groupby(rows, key=lambda fields: fields[at["locus"]]):
            yield _piece(parse_locus(name), list(group), at)


def _piece(locus: Locus, rows: list[list[str]], at: Mapping[str, int]) -> Piece:
    first = rows[:: len(LETTERS)]
    numbers = {
        name: np.array([float(row[at[name]] or "nan") for row in rows]).reshape(-1, len(LETTERS)) for name in NUMBERS
    }
    known = {name: column for name, column in numbers.items() if not np.isnan(column).all()}
    reference = "".join(row[at["ref"]] for row in first)
    return Piece(locus, locus.start, reference, known, tuple(row[at["split"]] for row in first))


def of_reference(piece: Piece, name: str) -> np.ndarray:
    """A column's values at the bases that are there (positions,)."""
    codes = [LETTERS.index(base) for base in piece.reference]
    found: np.ndarray = piece.numbers[name][np.arange(len(codes)), codes]
    return found


def is_reference(piece: Piece) -> np.ndarray:
    """(positions, 4) bool."""
    found: np.ndarray = np.frombuffer(piece.reference.encode(), np.uint8)[:, None] == np.frombuffer(
        LETTERS.encode(), np.uint8
    )
    return found
