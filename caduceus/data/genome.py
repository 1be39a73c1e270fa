"""A genome on disk: any stretch of any contig, from any thread or process, in constant memory."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from caduceus.alphabet import BASES, tokenize
from caduceus.data.fasta import OpenFasta
from caduceus.data.seekable import prepare

# Added to the id of a lower-case letter where repeats are told apart.
REPEAT = 16
_LOWER_CASE = np.uint8(0x20)
_LETTER_IDS = np.array([tokenize(chr(letter))[0] for letter in range(256)], dtype=np.uint8)


class Genome:
    """Random access to a FASTA file: plain, BGZF, or plain gzip (unpacked once into the cache folder, with a message).

    Each process opens the file for itself the first time it reads: a handle that crosses a fork shares its place in the
    file with the parent, and both would then read wrong windows without an error. Threads share a handle under a lock.
    Pickles hold no handle. Coordinates count from 0 and exclude the end.

    Args:
        path: the FASTA file.

    Attributes:
        path: the file as given, absolute.
        contigs: name -> length, in the order of the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not FASTA, is damaged, or its lines cannot be indexed.

    >>> genome = Genome(ecoli_path())
    >>> genome.contigs
    {'K-12-MG1655': 4639675}
    >>> genome.fetch("K-12-MG1655", 0, 20), genome.fetch_ids("K-12-MG1655", 0, 4).tolist()
    ('AGCTTTTCATTCTGACTGCA', [7, 9, 8, 10])
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser().absolute()
        self._files = prepare(path)
        self._state = self._file_state()
        self._opened = (os.getpid(), OpenFasta(self._files))
        self.contigs: dict[str, int] = {name: record.rlen for name, record in self._opened[1].index.items()}

    def fetch(self, contig: str, start: int, end: int) -> str:
        """Sequence [start, end) in the letters and case of the file.

        Raises:
            ValueError: no such contig (close names are suggested), or a range outside it (with its length).
        """
        return self._letters(contig, start, end).decode("latin-1")

    def fetch_letters(self, contig: str, start: int, end: int) -> np.ndarray:
        """Character codes of [start, end) (end - start,) uint8; lower case, a soft-masked repeat, has bit 32 set."""
        return np.frombuffer(self._letters(contig, start, end), dtype=np.uint8)

    def fetch_ids(self, contig: str, start: int, end: int) -> np.ndarray:
        """Token ids of [start, end) (end - start,) uint8: either case; letters other than A, C, G, T, N are [UNK]."""
        return letter_ids(self.fetch_letters(contig, start, end))

    def fetch_marked_ids(self, contig: str, start: int, end: int) -> np.ndarray:
        """The same, with `REPEAT` added where the letter is lower case."""
        letters = self.fetch_letters(contig, start, end)
        return letter_ids(letters) + np.uint8(REPEAT) * is_lower(letters)

    def check(self, contig: str, start: int = 0, end: int = 0) -> None:
        """Raise ValueError unless [start, end) lies inside a contig of this genome."""
        if contig not in self.contigs:
            raise ValueError(f"{self.path.name} has no contig {contig!r}; {_suggest(contig, self.contigs)}")
        length = self.contigs[contig]
        if not 0 <= start <= end <= length:
            raise ValueError(f"{contig}:{start}-{end} is not a range inside {contig!r}, which has {length} bases")

    def close(self) -> None:
        """Close this process's handle; the next read opens another."""
        pid, opened = self._opened
        self._opened = (-1, opened)
        if pid == os.getpid():
            opened.close()

    def __repr__(self) -> str:
        return f"Genome({str(self.path)!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": (-1, None)}

    def _letters(self, contig: str, start: int, end: int) -> bytes:
        self.check(contig, start, end)
        pid, opened = self._opened
        if pid != os.getpid():
            opened = self._open()
        return opened.letters(contig, start, end)

    def _open(self) -> OpenFasta:
        """No lock: one held by another thread at a fork would stay held in the child. Two handles do no harm."""
        if self._file_state() != self._state:
            raise ValueError(f"{self._files.fasta} changed since it was opened; make the Genome again")
        opened = OpenFasta(self._files)
        self._opened = (os.getpid(), opened)
        return opened

    def _file_state(self) -> tuple[int, int]:
        stat = self._files.fasta.stat()
        return stat.st_size, stat.st_mtime_ns


def letter_ids(letters: np.ndarray) -> np.ndarray:
    """Token ids of character codes, elementwise uint8 -> uint8, by `caduceus.alphabet.tokenize`.

    >>> letter_ids(np.frombuffer(b"acgtNR", dtype=np.uint8)).tolist()
    [7, 8, 9, 10, 11, 6]
    """
    return _LETTER_IDS[letters]


def is_lower(letters: np.ndarray) -> np.ndarray:
    """Where character codes are lower case, which is how genomes mark repeats, elementwise bool.

    >>> is_lower(np.frombuffer(b"acGT", dtype=np.uint8)).tolist()
    [True, True, False, False]
    """
    return (letters & _LOWER_CASE) != 0


def is_base(ids: np.ndarray) -> np.ndarray:
    """Where ``ids`` are A, C, G or T, elementwise bool.

    >>> is_base(np.array([4, 6, 7, 8, 9, 10, 11])).tolist()
    [False, False, True, True, True, True, False]
    """
    return (ids >= BASES[0]) & (ids <= BASES[-1])


def ecoli_path() -> Path:
    """The genome of E. coli K-12 MG1655 that comes with the package: BGZF with its indices, 4,639,675 bases."""
    return Path(__file__).parent / "genomes" / "ecoli_K12_MG1655.fa.gz"


def _suggest(contig: str, names: Iterable[str]) -> str:
    known = list(names)
    bare = contig.lower().removeprefix("chr")
    same = [name for name in known if name.lower().removeprefix("chr") == bare]
    if close := same or difflib.get_close_matches(contig, known):
        return f"did you mean {' or '.join(map(repr, close))}?"
    return f"it has {', '.join(map(repr, known[:5]))}{f' and {len(known) - 5} more' if len(known) > 5 else ''}"
