"""An open FASTA file: bytes at random places, plain or BGZF, by the index that pyfaidx reads.

pyfaidx builds and parses the indices and Biopython inflates blocks. The bytes are fetched here because pyfaidx's own
fetch (0.9.2) fails on a BGZF file with blocks of 65,536 bytes, as Biopython and older bgzip write them, whenever a
window begins where a block begins.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from bisect import bisect_right
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from Bio.bgzf import make_virtual_offset
from pyfaidx import Faidx

_PIECE = 1 << 20
# Inflated blocks of 64 KB that a handle keeps: all of a human chromosome's, for windows at random places.
_BLOCKS_KEPT = 1000
_LONGEST_HEADER = 1 << 16
_CONTIGS_CHECKED = 1000
# What Biopython and zlib raise on a file that is cut off or damaged.
DAMAGE = (ValueError, OSError, EOFError, RuntimeError, zlib.error, struct.error)


class Files(NamedTuple):
    """A seekable FASTA and its indices; ``gzi`` is None for a plain one."""

    fasta: Path
    fai: Path
    gzi: Path | None


class OpenFasta:
    """A handle on `Files`. Threads may share it; processes may not, as they would share the place in the file."""

    def __init__(self, files: Files) -> None:
        with warnings.catch_warnings():
            # An index older than its FASTA by date is judged by what it says instead: see `misfit`.
            warnings.simplefilter("ignore", RuntimeWarning)
            self._faidx = Faidx(
                str(files.fasta),
                indexname=str(files.fai),
                gzi_indexname=files.gzi and str(files.gzi),
                build_index=False,
                rebuild=False,
            )
        self.files = files
        self.index = self._faidx.index
        self._blocks = [] if files.gzi is None else self._faidx.gzi_index
        self._block_starts = [block.ustart for block in self._blocks]
        if self._blocks:
            self._faidx.file.max_cache = _BLOCKS_KEPT
        self._lock = Lock()

    def close(self) -> None:
        self._faidx.close()

    def read(self, offset: int, size: int) -> bytes:
        """``size`` bytes of the uncompressed file from ``offset``, fewer at its end."""
        pieces = []
        with self._lock:
            self._seek(offset)
            while size > 0 and (piece := self._faidx.file.read(min(size, _PIECE))):
                pieces.append(piece)
                size -= len(piece)
        return b"".join(pieces)

    def letters(self, contig: str, start: int, end: int) -> bytes:
        """Sequence [start, end) as written, without line ends; the range must lie inside the contig."""
        if start == end:
            return b""
        first = self.offset(contig, start)
        try:
            letters = self.read(first, self.offset(contig, end - 1) + 1 - first).translate(None, b"\r\n")
        except DAMAGE as error:
            raise ValueError(f"{self.files.fasta} cannot be read at {contig}:{start}-{end}: {error}") from error
        if len(letters) != end - start or b">" in letters:
            raise ValueError(f"{self.files.fasta} does not fit its index {self.files.fai} at {contig}:{start}-{end}")
        return letters

    def offset(self, contig: str, position: int) -> int:
        """Where base ``position`` of the contig lies in the uncompressed file."""
        record = self.index[contig]
        line, column = divmod(position, record.lenc)
        return int(record.offset + line * record.lenb + column)

    def misfit(self) -> str:
        """What shows that the index was made for another file, or "" if it fits.

        Checked at up to 1000 contigs, the first and the last included: the header before the first base, the first line
        break, and the end of the contig. A file of the same layout (say, with repeats masked) still fits.
        """
        names = list(self.index)
        step = max(1, -(-len(names) // _CONTIGS_CHECKED))
        for name in [*names[::step], *names[-1:]]:
            try:
                if not self._fits(name, followed=name != names[-1]):
                    return f"contig {name!r} is not where the index says"
            except DAMAGE as error:
                return f"contig {name!r} cannot be read: {error}"
        return "" if names else "it lists no contig"

    def _fits(self, name: str, followed: bool) -> bool:
        record = self.index[name]
        size = record.offset - record.prev_bend
        if not 0 < size <= _LONGEST_HEADER:
            return False
        header = self.read(record.prev_bend, size)
        last = header.rstrip(b"\r\n").rsplit(b"\n", 1)[-1]
        if not (header.endswith(b"\n") and last.startswith(b">") and last[1:].split()[:1] == [name.encode()]):
            return False
        if record.rlen > record.lenc and not self._breaks_after(record.offset, record.lenc, record.lenb):
            return False
        return record.rlen == 0 or self._ends_at(self.offset(name, record.rlen - 1), followed)

    def _breaks_after(self, offset: int, letters: int, line: int) -> bool:
        """Whether ``letters`` letters and a line end, ``line`` bytes in all, lie at ``offset``, then another line."""
        found = self.read(offset, line + 1)
        return b"\n" not in found[:letters] and not found[letters:line].strip() and bool(found[line:].strip())

    def _ends_at(self, offset: int, followed: bool) -> bool:
        """Whether the letter at ``offset`` is the last of its contig, and another contig or nothing follows."""
        found = self.read(offset, 64)
        after = found[1:].lstrip(b"\r\n")
        separated = len(found) == 1 or after != found[1:]
        return bool(found[:1].strip(b"\r\n>")) and separated and after[:1] == (b">" if followed else b"")

    def _seek(self, offset: int) -> None:
        if self.files.gzi is None:
            self._faidx.file.seek(offset)
            return
        block = self._blocks[bisect_right(self._block_starts, offset) - 1]
        self._faidx.file.seek(make_virtual_offset(block.cstart, offset - block.ustart))
