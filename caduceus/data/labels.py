"""Labelled sequences: one class each, several labels each, or numbers; checked as they are read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from caduceus.data.cells import SEPARATOR
from caduceus.data.iupac import BASES, other_letter
from caduceus.data.tables import Table

Problem = Literal["single_label_classification", "multi_label_classification", "regression"]
ClassOrder = Literal["sorted", "listed"]

SEQUENCE_COLUMNS = ("sequence", "seq", "dna")
LABEL_COLUMNS = ("label", "labels", "class", "target")


@dataclass(frozen=True, eq=False)
class Labelled:
    """Sequences of one split with their labels.

    Attributes:
        table: what was read, for messages.
        sequences: (n,) as written: the case is kept, an ambiguity letter too.
        labels: (n,) int64 class ids; (n, classes) int8 of 0 and 1; or (n, targets) float64.
        classes: names of the classes, or of the targets, in the order of the ids.
        problem: which of the three it is.
        columns: that were read: of the sequences, then of the labels.
    """

    table: Table
    sequences: Sequence[str]
    labels: np.ndarray
    classes: tuple[str, ...]
    problem: Problem
    columns: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.sequences)

    def take(self, rows: np.ndarray) -> Labelled:
        """The rows that a boolean or index array chooses, in the order of the indices."""
        chosen = np.arange(len(self))[rows]
        sequences = [self.sequences[i] for i in chosen]
        return replace(self, table=self.table.take(chosen), sequences=sequences, labels=self.labels[chosen])

    def counts(self) -> dict[str, int]:
        """Class -> rows that have it; classes without rows are listed with 0. Empty for regression."""
        if self.problem == "regression":
            return {}
        if self.problem == "multi_label_classification":
            found = self.labels.sum(0)
        else:
            found = np.bincount(self.labels, minlength=len(self.classes))
        return {name: int(count) for name, count in zip(self.classes, found, strict=True)}

    def lengths(self) -> np.ndarray:
        """Bases of each sequence (n,) int64."""
        return np.array([len(sequence) for sequence in self.sequences], dtype=np.int64)

    def notes(self, max_length: int | None = None) -> list[str]:
        """What a reader of the data should know: letters that a model cannot tell apart, cuts, absent classes."""
        ambiguous = sum(not BASES.issuperset(sequence) for sequence in self.sequences)
        lower = sum(any(letter.islower() for letter in set(sequence)) for sequence in self.sequences)
        cut = 0 if max_length is None else int((self.lengths() > max_length).sum())
        absent = [name for name, count in self.counts().items() if not count]
        found = [
            (ambiguous, f"{ambiguous:,} sequences hold letters other than A, C, G, T, N, read as [UNK]"),
            (lower, f"{lower:,} sequences hold lower-case letters"),
            (cut, f"{cut:,} sequences are longer than {max_length}, cut at their end"),
            (len(absent), f"no row of class {', '.join(map(repr, absent))}"),
        ]
        return [f"{self.table.source}: {text}" for count, text in found if count]


def labelled(
    table: Table,
    *,
    problem: Problem = "single_label_classification",
    sequence: str | None = None,
    label: str | Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    order: ClassOrder = "sorted",
    like: Labelled | None = None,
) -> Labelled:
    """Read sequences and labels out of a table.

    Args:
        problem: one class a sequence; several labels (columns of 0 and 1, or one column of names joined by ";"); or
            numbers, one a column.
        sequence: name of the column; null: the first of "sequence", "seq", "dna" that is there.
        label: name of the column, or of several; null: "label", "labels", "class" or "target".
        classes: their names in the order of the ids; null: those that the table holds, in ``order``.
        order: "sorted": whole numbers by value, then names by alphabet, whatever the order of the rows; "listed": as
            they first come, which depends on how the file or folder is listed.
        like: the training split, whose classes count for this split too, and whose columns as far as they are there.

    Raises:
        ValueError: a column is missing; a sequence is empty or holds what is no letter of DNA; a label is unknown,
            empty or no number. The message says where, and lists what was expected.

    >>> table = Table("t.csv", {"seq": ["AC", "gN"], "label": ["b", "a"]}, np.array([2, 3]))
    >>> data = labelled(table)
    >>> data.classes, data.labels.tolist(), data.sequences
    (('a', 'b'), [1, 0], ['AC', 'gN'])
    """
    if like is not None:
        problem, classes = like.problem, like.classes
    known = like.columns if like is not None else ()
    bases = table.column(sequence or (*known[:1], *SEQUENCE_COLUMNS), "sequence")
    sequences = _sequences(table, bases)
    if label is None or isinstance(label, str):
        columns = [table.column(label or (*known[1:], *LABEL_COLUMNS), "label")]
    else:
        columns = [table.column(name, "label") for name in label]
    if problem == "regression":
        names, labels = tuple(columns), _numbers(table, columns)
    elif len(columns) > 1:
        if problem != "multi_label_classification":
            raise ValueError(f"{table.source}: {len(columns)} label columns are for several labels or for regression")
        names, labels = tuple(columns), _flags(table, columns)
    else:
        names, labels = _classes(table, columns[0], problem, classes, order)
    return Labelled(table, sequences, labels, names, problem, (bases, *columns))


def class_order(names: Sequence[str], order: ClassOrder = "sorted") -> tuple[str, ...]:
    """Distinct names in the order of their ids: sorted, whole numbers by value; or as they first come.

    >>> class_order(["10", "9", "10"]), class_order(["b", "a", "b"]), class_order(["b", "a"], "listed")
    (('9', '10'), ('a', 'b'), ('b', 'a'))
    """
    found = list(dict.fromkeys(names))
    if order == "listed":
        return tuple(found)
    return tuple(sorted(found, key=lambda name: (0, int(name), "") if _is_whole(name) else (1, 0, name)))


def _is_whole(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit()


def _sequences(table: Table, column: str) -> list[str]:
    found = [cell.strip() for cell in table.columns[column]]
    for row, sequence in enumerate(found):
        if not sequence:
            raise ValueError(f"{table.at(row, column)}: the sequence is empty, expected at least one base")
        if problem := other_letter(sequence):
            raise ValueError(f"{table.at(row, column)}: {problem}")
    return found


def _numbers(table: Table, columns: Sequence[str]) -> np.ndarray:
    """(n, columns) float64."""
    found = np.empty((len(table), len(columns)))
    for j, name in enumerate(columns):
        for row, text in enumerate(table.columns[name]):
            try:
                found[row, j] = float(text)
            except ValueError:
                raise ValueError(
                    f"{table.at(row, name)}: {text!r} is no number, expected a regression target"
                ) from None
            if not math.isfinite(found[row, j]):
                raise ValueError(f"{table.at(row, name)}: {text!r} is not finite, expected a regression target")
    return found


def _flags(table: Table, columns: Sequence[str]) -> np.ndarray:
    """(n, columns) int8 of 0 and 1."""
    values = {"0": 0, "1": 1, "false": 0, "true": 1}
    found = np.empty((len(table), len(columns)), dtype=np.int8)
    for j, name in enumerate(columns):
        for row, text in enumerate(table.columns[name]):
            if text.strip().lower() not in values:
                raise ValueError(f"{table.at(row, name)}: {text!r}, expected 0 or 1")
            found[row, j] = values[text.strip().lower()]
    return found


def _classes(
    table: Table, column: str, problem: Problem, classes: Sequence[str] | None, order: ClassOrder
) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of the classes, and ids (n,) or flags (n, classes)."""
    several = problem == "multi_label_classification"
    cells = [
        [name.strip() for name in text.split(SEPARATOR) if name.strip()] if several else [text.strip()]
        for text in table.columns[column]
    ]
    names = tuple(classes) if classes is not None else class_order([n for cell in cells for n in cell if n], order)
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"classes {', '.join(map(repr, twice))} are given more than once")
    ids = {name: i for i, name in enumerate(names)}
    flags = np.zeros((len(table), len(names)), dtype=np.int8)
    for row, cell in enumerate(cells):
        for name in cell:
            if name not in ids:
                what = f"label {name!r} is unknown" if name else "the label is empty"
                raise ValueError(f"{table.at(row, column)}: {what}, expected one of {', '.join(names)}")
            flags[row, ids[name]] = 1
    return names, flags if several else flags.argmax(1).astype(np.int64)
