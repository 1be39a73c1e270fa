"""Named sequences from files, one at a time: FASTA, regions of a genome, or a table."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from Bio.SeqIO.FastaIO import SimpleFastaParser

from caduceus.data.bed import regions
from caduceus.data.genome import Genome
from caduceus.data.iupac import other_letter
from caduceus.data.tables import long_fields
from caduceus.data.text import opened
from caduceus.data.variants import ContigNames
from caduceus.symmetry import reverse_complement


class Named(NamedTuple):
    """A sequence and what to call it: the first word of a FASTA header, contig:start-end, or a table's name."""

    name: str
    sequence: str


class Region(NamedTuple):
    """Bases [start, end) of a contig, counted from 0; ``reverse``: of the other strand."""

    contig: str
    start: int
    end: int
    reverse: bool = False


def fasta_sequences(path: str | os.PathLike[str]) -> Iterator[Named]:
    """The records of a FASTA file, plain or gzip.

    Raises:
        FileNotFoundError: there is no such file. ValueError: it holds no record, text before the first, or a record
            without sequence or with other letters than those of DNA.
    """
    count = 0
    with opened(path) as file:
        first = next((line for line in file if line.strip()), "")
        if not first.startswith(">"):
            raise ValueError(f"{path} holds no FASTA: it begins with {first[:20].strip()!r}, expected a line with '>'")
        for title, sequence in SimpleFastaParser(chain([first], file)):
            name = title.split()[0] if title.split() else f"record {count + 1}"
            if not sequence:
                raise ValueError(f"{path}: record {name!r} has no sequence")
            if problem := other_letter(sequence):
                raise ValueError(f"{path}: record {name!r}: {problem}")
            count += 1
            yield Named(name, sequence)


def table_sequences(path: str | os.PathLike[str], column: str = "sequence") -> Iterator[Named]:
    """A column of a CSV or TSV file with a header; named by its column ``name`` or ``id``, else by the row's number.

    Raises:
        FileNotFoundError: there is no such file. ValueError: it has no such column, no rows, or a row without
            sequence or with other letters than those of DNA.
    """
    count = 0
    with opened(path) as file, long_fields():
        head = file.readline()
        separator = "\t" if "\t" in head else ","
        columns = next(csv.reader([head.strip("\r\n")], delimiter=separator), [])
        if column not in columns:
            raise ValueError(f"{path} has no column {column!r}; it has {', '.join(columns) or 'none'}")
        at = columns.index(column)
        named = next((columns.index(name) for name in ("name", "id") if name in columns), None)
        try:
            for number, row in enumerate(csv.reader(file, delimiter=separator), 1):
                if not row:
                    continue
                if len(row) < len(columns) or not row[at].strip():
                    lacking = columns[len(row)] if len(row) < len(columns) else column
                    raise ValueError(f"{path}: row {number} has no {lacking}")
                sequence = row[at].strip()
                if problem := other_letter(sequence):
                    raise ValueError(f"{path}: row {number}: {problem}")
                count += 1
                yield Named(str(number) if named is None else row[named], sequence)
        except csv.Error as error:
            raise ValueError(f"{path}: {error}") from error
    if not count:
        raise ValueError(f"{path} holds no rows below its header")


def region_sequences(bed: str | os.PathLike[str], genome: Genome) -> Iterator[Named]:
    """The regions of a BED file; with - in the sixth field, the reverse complement. Errors as `bed_regions`."""
    for contig, start, end, reverse in bed_regions(bed, genome):
        sequence = genome.fetch(contig, start, end)
        name = f"{contig}:{start}-{end}" + ("(-)" if reverse else "")
        yield Named(name, reverse_complement(sequence) if reverse else sequence)


def bed_regions(bed: str | os.PathLike[str], genome: Genome) -> Iterator[Region]:
    """The lines of a BED file, contigs by the genome's names.

    Raises:
        FileNotFoundError: there is no such file. ValueError: a line is malformed or lies outside the genome.
    """
    names = ContigNames(genome.contigs)
    count = 0
    for number, fields in regions(bed):
        contig, start, end = names.called(fields[0]), int(fields[1]), int(fields[2])
        try:
            genome.check(contig, start, end)
        except ValueError as error:
            raise ValueError(f"{bed}: line {number}: {error}") from error
        if start == end:
            raise ValueError(f"{bed}: line {number}: {contig}:{start}-{end} is empty")
        count += 1
        yield Region(contig, start, end, fields[5:6] == ["-"])
    if not count:
        raise ValueError(f"{bed} has no regions, expected at least one line: contig, start, end")
