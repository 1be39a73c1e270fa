"""Files of variants, one record at a time, each as it is written: VCF, or a table with a header (CSV or TSV).

The reader is the library's own: htslib (cyvcf2, pysam) writes records anew, which changes lines that nobody asked to
change, refuses contigs and INFO fields that a header forgets, and gives no place to continue from. Here a line is split
at its tabs and nothing else, so that what is not understood passes through as it came.
"""

from __future__ import annotations

import csv
import os
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TextIO

from caduceus.data.tables import long_fields
from caduceus.data.text import is_packed, opened

_ERRORS_SHOWN = 5
_VCF_COLUMNS = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
# What people call the columns of a table, in lower case; the first name is the one to ask for.
NAMES = {
    "chrom": ("chrom", "#chrom", "chr", "contig", "chromosome"),
    "pos": ("pos", "position"),
    "ref": ("ref", "reference"),
    "alt": ("alt", "alternate", "alternative"),
    "id": ("id", "rsid", "name"),
}


class Record(NamedTuple):
    """A line of a file of variants.

    Attributes:
        line: its number in the file, from 1.
        contig, position, id, ref, alts: as written; the position of the first base of ``ref``, counted from 1.
        fields: every field of the line, as written.
    """

    line: int
    contig: str
    position: int
    id: str
    ref: str
    alts: tuple[str, ...]
    fields: tuple[str, ...]


class VariantFile:
    """Variants in a file, plain, gzip or BGZF; iterating reads it from the beginning, in constant memory.

    Attributes:
        path: the file.
        is_vcf: VCF, else a table. packed: gzip or BGZF.
        header: lines of a VCF before its records, the last one ``#CHROM...``; of a table nothing.
        columns: names of the fields.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is neither VCF nor a table with columns chrom, pos, ref and alt.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser().absolute()
        if not self.path.is_file():
            raise FileNotFoundError(f"no variants at {self.path}; expected a VCF, or a table: chrom, pos, ref, alt")
        self.packed = is_packed(self.path)
        header: list[str] = []
        try:
            with self._opened() as text:
                for line in text:
                    header.append(line.rstrip("\r\n"))
                    if not line.startswith("##"):
                        break
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{self.path} cannot be read: {error}") from error
        first, last = (header[0], header[-1]) if header else ("", "")
        if first.startswith(("BCF", "\x1f\x8b")):
            raise ValueError(f"{self.path} is BCF, expected VCF; convert it by: bcftools view -O z")
        if "\r" in last:
            raise ValueError(f"{self.path} ends its lines with CR alone, expected LF; convert it by: tr '\\r' '\\n'")
        self.is_vcf = last.startswith("#CHROM\tPOS\tID\t") or first.startswith("##fileformat=VCF")
        self.header: tuple[str, ...] = tuple(header) if self.is_vcf else ()
        self._before = len(header)
        self._separator = "\t" if self.is_vcf or "\t" in last else max(",;", key=last.count)
        try:
            self.columns = self._split(last)
        except ValueError as error:
            raise ValueError(f"{self.path}, line {len(header)}: {error}") from error
        self._where = self._places()

    def _split(self, text: str) -> tuple[str, ...]:
        if self.is_vcf:
            return tuple(text.split("\t"))
        try:
            with long_fields():
                return tuple(next(csv.reader([text], delimiter=self._separator), ()))
        except csv.Error as error:
            raise ValueError(str(error)) from error

    def _places(self) -> dict[str, int]:
        """Column of each name that a variant needs."""
        if self.is_vcf:
            if self.columns[:8] != _VCF_COLUMNS:
                raise ValueError(
                    f"{self.path} has no line {' '.join(_VCF_COLUMNS)}, separated by tabs, before its records"
                )
            return {"chrom": 0, "pos": 1, "id": 2, "ref": 3, "alt": 4}
        lower = [name.strip().lower() for name in self.columns]
        found = {
            name: lower.index(alias) for name, aliases in NAMES.items() for alias in reversed(aliases) if alias in lower
        }
        if missing := [name for name in ("chrom", "pos", "ref", "alt") if name not in found]:
            shown = ", ".join(self.columns[:8]) or "nothing"
            raise ValueError(
                f"{self.path} is no VCF, and as a table it lacks {', '.join(missing)}: its first line holds {shown}; "
                "expected the columns chrom, pos (counted from 1), ref and alt"
            )
        return found

    def __iter__(self) -> Iterator[Record]:
        return self.records()

    def records(self, first: int = 0, last: int | None = None) -> Iterator[Record]:
        """Records number ``first`` to ``last`` - 1, counted from 0; those before are passed over unread.

        Raises:
            ValueError: lines that are no records; the first few are listed with their numbers.
        """
        errors: list[str] = []
        for number, text in islice(self._lines(), first, last):
            try:
                record = self._record(number, text)
            except ValueError as error:
                errors.append(f"line {number}: {error}")
                if len(errors) == _ERRORS_SHOWN:
                    break
                continue
            if not errors:
                yield record
        if errors:
            more = "\n  and perhaps more" if len(errors) == _ERRORS_SHOWN else ""
            raise ValueError(f"{self.path}:\n  " + "\n  ".join(errors) + more)

    def _lines(self) -> Iterator[tuple[int, str]]:
        """Number and text of the lines that hold records."""
        try:
            with self._opened() as file:
                for number, line in enumerate(file, 1):
                    text = line.rstrip("\r\n")
                    if number > self._before and text:
                        yield number, text
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{self.path} is cut off or damaged: {error}") from error

    def _record(self, number: int, text: str) -> Record:
        fields, expected = self._split(text), len(self.columns)
        if len(fields) < expected or (self.is_vcf and len(fields) > expected):
            spaces = "; fields are separated by tabs, not spaces" if self.is_vcf and len(fields) == 1 else ""
            raise ValueError(f"{len(fields)} fields, expected {expected}, as in the line of their names{spaces}")
        value = {name: fields[i].strip() for name, i in self._where.items()}
        if not (value["pos"].isascii() and value["pos"].isdigit()):
            raise ValueError(f"the position is {value['pos']!r}, expected a whole number, counted from 1")
        alts = tuple(value["alt"].split(","))
        for name, texts in {"chrom": (value["chrom"],), "ref": (value["ref"],), "alt": alts}.items():
            if not all(texts):
                raise ValueError(
                    f"{name} is empty" if len(texts) == 1 else f"{name} {value[name]!r} has an empty allele"
                )
            if not self.is_vcf and len(value[name].split()) > 1:
                raise ValueError(f"{name} is {value[name]!r}, expected no spaces or tabs in it")
        return Record(number, value["chrom"], int(value["pos"]), value.get("id") or ".", value["ref"], alts, fields)

    def _opened(self) -> TextIO:
        """Bytes that are no UTF-8 survive a round trip."""
        return opened(self.path, errors="surrogateescape", newline="\n")
