"""metrics.csv: one row a step, our own file, so that a run which continues also continues its table."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path

from caduceus.data import Score
from caduceus.train.files import appended, written_whole

Row = dict[str, float | int | None]


def bits_column(kind: str) -> str:
    """The column of the bits per held-out base of one of `Score.KINDS`."""
    return f"valid/bits_{kind}"


COLUMNS = (
    "step",
    "tokens",
    "lr",
    "train/loss",
    "valid/loss",
    "valid/bits_per_base",
    "train/targets",
    "train/grad_norm",
    "train/waiting",
    "seconds",
    *map(bits_column, Score.KINDS),
    "valid/equivariance_error",
)
WALL_CLOCK = frozenset({"train/waiting", "seconds"})
"""Columns that differ from one run to the next; all others are the same to the bit."""


class MetricsFile:
    """Rows of numbers under `COLUMNS`; what is absent is empty.

    ``seconds`` counts the training of every part of a run; ``train/waiting`` is the share of a step's time, validation
    not counted, in which it waited for data.

    Numbers are written so that reading them gives the same bits.

    >>> import tempfile
    >>> file = MetricsFile(Path(tempfile.mkdtemp()) / "metrics.csv")
    >>> file.append({"step": 1, "train/loss": 1.25}); file.append({"step": 2, "train/loss": 1.0})
    >>> file.cut_back(1)
    >>> [row["train/loss"] for row in file.rows()]
    [1.25]
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, row: Mapping[str, float | int | None]) -> None:
        """Add a row; a header before the first."""
        with appended(self.path) as file:
            header = "" if file.tell() else _line({name: name for name in COLUMNS})
            file.write((header + _line(row)).encode())

    def sync(self) -> None:
        """Wait until every row is on the disk."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())

    def cut_back(self, step: int) -> None:
        """Drop the rows after ``step``, a line that was cut short among them."""
        kept = [row for row in self.rows() if (row["step"] or 0) <= step]
        text = "".join([_line({name: name for name in COLUMNS}), *map(_line, kept)]) if kept else ""
        with written_whole(self.path) as file:
            file.write(text.encode())

    def rows(self) -> list[Row]:
        """All complete rows; a run that has not begun has none."""
        if not self.path.is_file():
            return []
        whole, _, _ = self.path.read_text(encoding="utf-8").rpartition("\n")
        return [
            {name: _number(name, value) for name, value in row.items()} for row in csv.DictReader(io.StringIO(whole))
        ]


def _line(row: Mapping[str, float | int | str | None]) -> str:
    cells = ("" if row.get(name) is None else str(row[name]) for name in COLUMNS)
    return ",".join(cells) + "\n"


def _number(name: str, text: str) -> float | int | None:
    if text == "":
        return None
    return int(text) if name in ("step", "tokens", "train/targets") else float(text)
