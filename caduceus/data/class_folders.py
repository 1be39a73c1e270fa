"""Genomic Benchmarks on disk: coordinates to cut from a genome, or a folder of sequence files for each class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from Bio.Seq import reverse_complement

from caduceus.data.genome import Genome
from caduceus.data.labels import ClassOrder, class_order
from caduceus.data.tables import Table, read_table
from caduceus.data.variants import ContigNames

COORDINATES = ("region", "start", "end", "strand")


def read_class_folder(
    folder: Path, genome: Genome | None = None, *, order: ClassOrder = "sorted", partial: bool = False
) -> Table:
    """A split of Genomic Benchmarks: ``<class>.csv.gz`` of coordinates, or ``<class>/*.txt`` of one sequence each.

    Args:
        folder: of the split, such as ``human_enhancers_cohn/train``.
        genome: what coordinates are cut from.
        order: of the classes, so of the rows: "sorted", or "listed" as the file system lists them (the authors' way).
        partial: leave out rows on contigs that the genome lacks; otherwise they are an error.

    Returns:
        A table with the columns ``sequence`` and ``label``, rows of a class together.

    Raises:
        FileNotFoundError: no such folder. ValueError: no class in it, coordinates without a genome, or outside it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}; expected one file or one folder a class in it")
    classes = _classes_of(folder)
    if not classes:
        raise ValueError(f"{folder} holds no class, expected <class>.csv.gz, <class>.csv or <class>/*.txt")
    tables = []
    for name in class_order(list(classes), order):
        path = classes[name]
        table = _text_files(path) if path.is_dir() else _cut(read_table(path), genome, partial)
        tables.append((name, table))
    return _stacked(str(folder), tables)


def from_coordinates(
    table: Table, genome: Genome, columns: Sequence[str] = COORDINATES, *, partial: bool = False
) -> Table:
    """The same rows with ``sequence`` cut from ``genome``: [start, end) from 0, the reverse complement for strand "-".

    A contig is found by either of its names, as `ContigNames` has them. Sequences are in upper case.

    Args:
        columns: names of contig, start, end and strand; a strand of "" or "." counts as "+".
        partial: leave out rows on contigs that the genome lacks; otherwise they are an error.

    Raises:
        ValueError: a cell is no such thing, a range lies outside its contig, or no row is left.
    """
    names = [table.column(name, "coordinates") for name in columns]
    contigs = ContigNames(genome.contigs)
    sequences: list[str] = []
    kept: list[int] = []
    for row, (contig, *place) in enumerate(zip(*(table.columns[name] for name in names), strict=True)):
        known = contigs.find(contig)
        if known is None and partial:
            continue
        start, end = (_whole(table, row, name, text) for name, text in zip(names[1:3], place, strict=False))
        try:
            # Genomic Benchmarks names genomes without soft masks; the official protocol would read others as [UNK].
            sequence = genome.fetch(known or contig, start, end).upper()
        except ValueError as error:
            raise ValueError(f"{table.at(row)}: {error}") from error
        sequences.append(reverse_complement(sequence) if _reversed(table, row, names[3], place[2]) else sequence)
        kept.append(row)
    if not kept:
        raise ValueError(f"{table.source} has no row on the contigs of {genome.path.name}: {', '.join(genome.contigs)}")
    rows = table.take(np.array(kept))
    return replace(rows, columns={**rows.columns, "sequence": sequences})


def _classes_of(folder: Path) -> dict[str, Path]:
    """Class -> its file or folder, in the order of the file system."""
    found = {}
    for path in folder.iterdir():
        if path.is_dir():
            found[path.name] = path
        elif path.name.endswith((".csv", ".csv.gz")):
            found[path.name.removesuffix(".gz").removesuffix(".csv")] = path
    return found


def _cut(table: Table, genome: Genome | None, partial: bool) -> Table:
    if genome is None:
        raise ValueError(f"{table.source} holds coordinates; give the genome that they are cut from")
    return from_coordinates(table, genome, partial=partial)


def _text_files(folder: Path) -> Table:
    """One sequence a file, in the order of the names, numbers by value."""
    paths = {path.stem: path for path in folder.iterdir() if path.suffix == ".txt"}
    names = class_order(list(paths))
    if not names:
        raise ValueError(f"{folder} holds no sequences, expected files *.txt of one sequence each")
    columns = {"id": names, "sequence": [paths[name].read_text(encoding="utf-8").strip() for name in names]}
    return Table(str(folder), columns, np.arange(1, len(names) + 1), "file")


def _stacked(source: str, tables: Iterable[tuple[str, Table]]) -> Table:
    """One table; rows are counted through, and labels are the names of the classes."""
    sequences: list[str] = []
    labels: list[str] = []
    for name, table in tables:
        sequences += table.columns["sequence"]
        labels += [name] * len(table)
    return Table(source, {"sequence": sequences, "label": labels}, np.arange(1, len(labels) + 1), "row")


def _whole(table: Table, row: int, column: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{table.at(row, column)}: {text!r}, expected a whole number, 0 or more")
    return int(text)


def _reversed(table: Table, row: int, column: str, strand: str) -> bool:
    if strand not in ("+", "-", ".", ""):
        raise ValueError(f"{table.at(row, column)}: {strand!r}, expected a strand, + or -")
    return strand == "-"
