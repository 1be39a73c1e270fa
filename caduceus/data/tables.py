"""Tables of text on disk: CSV, TSV, FASTA and parquet, each to columns of strings that know where they came from."""

from __future__ import annotations

import csv
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from Bio.SeqIO.FastaIO import SimpleFastaParser

from caduceus.data.cells import columns_of
from caduceus.data.text import opened
from caduceus.extras import require

_DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_FASTA = (".fa", ".fasta", ".fna")
_PARQUET = (".parquet", ".pq")
SUFFIXES = (*_DELIMITERS, *_FASTA, *_PARQUET)
# What a gzip file that is cut short or damaged raises.
_DAMAGE = (EOFError, OSError, zlib.error)


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of text, all of one length.

    Attributes:
        source: what to call it in messages: the path it was read from.
        columns: name -> cells, as written.
        numbers: (n,) the line of each row in the file, or the number of the record.
        unit: what ``numbers`` count: "line", "record" or "row".
        refused: columns that hold what no cell of text can say -> what that is; to ask for one is an error.
    """

    source: str
    columns: Mapping[str, Sequence[str]]
    numbers: np.ndarray
    unit: str = "line"
    refused: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.numbers)

    def at(self, row: int, column: str | None = None) -> str:
        """Where a cell is, for messages: ``data.csv, line 3, column label``."""
        place = f"{self.source}, {self.unit} {self.numbers[row]}"
        return place if column is None else f"{place}, column {column}"

    def column(self, names: str | Iterable[str], what: str) -> str:
        """The name of the column to read: the one given, or the first of several candidates that is there.

        Raises:
            ValueError: there is none, and the message lists the columns that there are; or it is one of ``refused``.
        """
        candidates = [names] if isinstance(names, str) else list(names)
        lower = {name.lower(): name for name in reversed([*self.columns, *self.refused])}
        for name in candidates:
            found = name if isinstance(names, str) or name in self.columns else lower.get(name.lower(), name)
            if found in self.refused:
                raise ValueError(f"{self.source}, column {found} for the {what} {self.refused[found]}")
            if found in self.columns:
                return found
        raise ValueError(
            f"{self.source} has no column {' or '.join(map(repr, candidates))} for the {what}; "
            f"it has {', '.join(map(repr, self.columns))}"
        )

    def take(self, rows: np.ndarray) -> Table:
        """The rows that a boolean or index array chooses."""
        chosen = np.arange(len(self))[rows]
        columns = {name: [cells[i] for i in chosen] for name, cells in self.columns.items()}
        return replace(self, columns=columns, numbers=self.numbers[chosen])

    def where(self, values: Mapping[str, str]) -> Table:
        """The rows whose cells hold these values, such as one task of a file of several.

        Raises:
            ValueError: no such column, or no such row; the message lists some values that there are.
        """
        kept = np.ones(len(self), dtype=bool)
        for name, value in values.items():
            cells = self.columns[self.column(name, "selection")]
            same = np.array([cell == str(value) for cell in cells], dtype=bool)
            if not same.any():
                known = ", ".join(map(repr, sorted(set(cells))[:10]))
                raise ValueError(f"{self.source} has no row with {name} = {value!r}; it has {known}")
            kept &= same
        return self if kept.all() else self.take(kept)


def read_table(path: Path) -> Table:
    """Read a file by its suffix: .csv, .tsv, .tab, .fa, .fasta, .fna, each also with .gz, or .parquet, .pq.

    A FASTA header ``>name|label`` or ``>name label=value`` gives the columns ``name``, ``label`` and ``sequence``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: an unknown suffix, or a file that is damaged, empty or no table; with the line where that shows.
        ModuleNotFoundError: parquet without pyarrow.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; expected a table of sequences and labels")
    name = path.name.lower().removesuffix(".gz")
    suffix = next((known for known in SUFFIXES if name.endswith(known)), None)
    if suffix is None:
        raise ValueError(f"{path} has an unknown suffix, expected one of {', '.join(SUFFIXES)}, also with .gz")
    if suffix in _PARQUET:
        return _read_parquet(path)
    reader: Callable[[Path], Table] = _read_fasta if suffix in _FASTA else _read_separated
    try:
        return reader(path)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8: {error}") from error
    except _DAMAGE as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def _read_separated(path: Path) -> Table:
    delimiter = _DELIMITERS[Path(path.name.lower().removesuffix(".gz")).suffix]
    with opened(path) as file, long_fields():
        rows = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            header = next(rows, [])
            _check_header(path, header)
            cells: list[list[str]] = []
            numbers: list[int] = []
            for row in rows:
                if not row:
                    continue
                if len(row) != len(header):
                    raise ValueError(f"{path}, line {rows.line_num}: {len(row)} fields, expected {len(header)}")
                cells.append(row)
                numbers.append(rows.line_num)
        except csv.Error as error:
            raise ValueError(f"{path}, line {rows.line_num}: {error}") from error
    columns = dict(zip(header, zip(*cells, strict=True), strict=True)) if cells else {}
    return _not_empty(Table(str(path), columns, np.array(numbers, dtype=np.int64)))


def _check_header(path: Path, header: list[str]) -> None:
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ValueError(f"{path}, line 1: the header has {', '.join(map(repr, twice))} more than once")
    if not header or not any(header):
        raise ValueError(f"{path} is empty, expected a header with the names of the columns")


@contextmanager
def long_fields() -> Iterator[None]:
    """A field may hold a whole sequence: csv's own limit of 131,072 characters is lifted meanwhile."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _read_fasta(path: Path) -> Table:
    names, labels, sequences = [], [], []
    with opened(path) as file:
        for number, (header, sequence) in enumerate(SimpleFastaParser(file), 1):
            name, label = _header_label(header)
            if label is None:
                raise ValueError(
                    f"{path}, record {number}: {header!r} has no label, expected '>name|label' or '>name label=value'"
                )
            names.append(name)
            labels.append(label)
            sequences.append(sequence)
    columns = {"name": names, "label": labels, "sequence": sequences}
    return _not_empty(Table(str(path), columns, np.arange(1, len(names) + 1), "record"))


def _header_label(header: str) -> tuple[str, str | None]:
    """The name of a FASTA record and its label.

    >>> _header_label("chr1:5-9|1"), _header_label("a label=0 more"), _header_label("a")
    (('chr1:5-9', '1'), ('a', '0'), ('a', None))
    >>> _header_label("FP01 (+) gene 3|0")
    ('FP01', '0')
    """
    first, *words = header.split() or [""]
    for word in words:
        key, equals, value = word.partition("=")
        if key == "label" and equals and value:
            return first, value
    name, bar, label = first.rpartition("|")
    if not bar:
        name, label = first, header.rpartition("|")[2].strip() if "|" in header else ""
    return (name, label) if label else (first, None)


def _read_parquet(path: Path) -> Table:
    parquet, arrow = require("pyarrow.parquet", "parquet"), require("pyarrow", "parquet")
    try:
        table = parquet.read_table(str(path))
    except (arrow.ArrowException, OSError) as error:
        raise ValueError(f"{path} is no readable parquet file: {error}") from error
    columns, refused = columns_of(table)
    return _not_empty(Table(str(path), columns, np.arange(1, table.num_rows + 1), "row", refused))


def _not_empty(table: Table) -> Table:
    if not len(table):
        raise ValueError(f"{table.source} holds no rows")
    return table
