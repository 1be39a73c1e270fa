"""The rows of the benchmark as local files hold them: a variant, a tissue, and whether it changes expression there.

chromosome, position, ref, alt   as any table of variants names them; positions count from 1
label                            1 changes the expression of a gene in the tissue, 0 does not
tissue                           a name
distance_to_nearest_tss          bases, with or without a sign; may be absent where ``controls.genes`` is given
split                            train, validation or test; where it is absent, the test contigs are the test set
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path

import numpy as np

from caduceus.data import ContigNames, Record, Table, read_table
from caduceus.data.intervals import SPLITS
from caduceus.data.variant_files import NAMES

TRAIN, VALID, TEST = (SPLITS.index(name) for name in ("train", "valid", "test"))
_SPLITS = {"train": TRAIN, "valid": VALID, "validation": VALID, "dev": VALID, "test": TEST}
_LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}
_DISTANCE = ("distance_to_nearest_tss", "tss_distance", "distance")


@dataclass(frozen=True, eq=False)
class Snps:
    """The rows, in the order of the file.

    Attributes:
        records: (n,) the variant of each. tissues: (n,) names.
        labels: (n,) int64 of 0 and 1. split: (n,) int8, an index into `SPLITS`.
        distance: (n,) float64 to the nearest start of transcription, 0 or more; NaN where it is not told.
        told: whether the table has distances.
    """

    records: list[Record]
    tissues: list[str]
    labels: np.ndarray
    split: np.ndarray
    distance: np.ndarray
    told: bool

    def __len__(self) -> int:
        return len(self.records)


def read_snps(path: Path, test_contigs: tuple[str, ...], genes: bool) -> Snps:
    """Read the rows.

    Args:
        test_contigs: as `VepEqtl`. genes: whether distances may be absent.

    Raises:
        FileNotFoundError: there is no such file. ValueError: a column is missing, or a cell is not what it should be;
            the message says which and where.
    """
    table = read_table(path)
    names = {name: table.column(NAMES[name], what) for name, what in _VARIANT.items()}
    label, tissue = table.column(["label", "labels"], "label"), table.column(["tissue"], "tissue")
    told = not genes or any(name in map(str.lower, table.columns) for name in _DISTANCE)
    distance = table.column(_DISTANCE, "distance to the nearest start of transcription") if told else None
    rows = range(len(table))
    return Snps(
        records=[_record(table, i, names) for i in rows],
        tissues=[_filled(table, i, tissue) for i in rows],
        labels=np.array([_one_of(table, i, label, _LABELS) for i in rows], dtype=np.int64),
        split=_split(table, names["chrom"], test_contigs),
        distance=np.array([_distance(table, i, distance) for i in rows], dtype=np.float64),
        told=told,
    )


_VARIANT = {"chrom": "contig", "pos": "position", "ref": "reference allele", "alt": "alternate allele"}


def _record(table: Table, row: int, names: dict[str, str]) -> Record:
    position = table.columns[names["pos"]][row].strip().removesuffix(".0")
    if not (position.isascii() and position.isdigit()):
        raise ValueError(
            f"{table.at(row, names['pos'])}: the position is {position!r}, expected a whole number, counted from 1"
        )
    contig, ref, alt = (_filled(table, row, names[name]) for name in ("chrom", "ref", "alt"))
    return Record(int(table.numbers[row]), contig, int(position), ".", ref, (alt,), ())


def _filled(table: Table, row: int, column: str) -> str:
    value = table.columns[column][row].strip()
    if not value:
        raise ValueError(f"{table.at(row, column)}: the cell is empty")
    return value


def _one_of(table: Table, row: int, column: str, known: dict[str, int]) -> int:
    value = table.columns[column][row].strip()
    if value.lower() not in known:
        raise ValueError(f"{table.at(row, column)}: {value!r}, expected one of {', '.join(known)}")
    return known[value.lower()]


def _split(table: Table, contig: str, test_contigs: tuple[str, ...]) -> np.ndarray:
    column = next((name for name in table.columns if name.lower() == "split"), None)
    if column is not None:
        found = [_one_of(table, i, column, _SPLITS) for i in range(len(table))]
    else:
        held_out = ContigNames(test_contigs)
        is_test = {name: held_out.find(name) is not None for name in set(table.columns[contig])}
        found = [TEST if is_test[name] else TRAIN for name in table.columns[contig]]
    return np.array(found, dtype=np.int8)


def _distance(table: Table, row: int, column: str | None) -> float:
    text = table.columns[column][row].strip() if column else ""
    try:
        number = float(text or nan)
    except ValueError as error:
        raise ValueError(f"{table.at(row, column)}: {text!r}, expected a distance in bases") from error
    return abs(number) if isfinite(number) else nan
