"""Files of text as people have them: plain, gzip or BGZF, with or without a byte order mark."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import TextIO

# The empty block that ends a BGZF file (SAM specification, 4.1.2).
BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_GZIP = b"\x1f\x8b"
_OTHERS = {b"BZh": "bzip2", b"PK\x03\x04": "zip", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


def is_packed(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as gzip does, and BGZF with it, whatever its name says.

    Raises:
        FileNotFoundError: there is no such file; the message names it.
        ValueError: it is packed with something else.
    """
    source = Path(path).expanduser()
    if not source.is_file():
        raise FileNotFoundError(f"no file at {source}")
    with source.open("rb") as file:
        head = file.read(max(map(len, _OTHERS)))
    for magic, packing in _OTHERS.items():
        if head.startswith(magic):
            raise ValueError(
                f"{source} is packed with {packing}, expected plain text, BGZF or gzip; repack it with bgzip"
            )
    return head.startswith(_GZIP)


def is_bgzf(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as BGZF does: gzip, in blocks that tell their size."""
    with Path(path).expanduser().open("rb") as file:
        head = file.read(18)
    return len(head) == 18 and head.startswith(_GZIP) and bool(head[3] & 4) and head[12:14] == b"BC"


def refuse_cut_off(path: str | os.PathLike[str]) -> None:
    """Raise ValueError for a BGZF file without the block that ends one: a reader does not miss the blocks before it."""
    source = Path(path).expanduser()
    if not is_bgzf(source):
        return
    with source.open("rb") as file:
        file.seek(-min(len(BGZF_END), source.stat().st_size), os.SEEK_END)
        end = file.read()
    if end != BGZF_END:
        raise ValueError(
            f"{source} is cut off: it lacks the block that ends a BGZF file; get it again, or make it again if it is "
            f"whole: gzip -dc {source.name} | bgzip"
        )


def opened(path: str | os.PathLike[str], *, newline: str = "", errors: str = "strict") -> TextIO:
    """A file in UTF-8, packed or not, for reading; ``newline`` and ``errors`` as of the built-in ``open``.

    Raises:
        FileNotFoundError: there is no such file; the message names it.
        ValueError: it is packed with something other than gzip, or a BGZF file that is cut off.
    """
    source = Path(path).expanduser()
    if is_packed(source):
        refuse_cut_off(source)
        return gzip.open(source, "rt", encoding="utf-8-sig", newline=newline, errors=errors)
    return source.open(encoding="utf-8-sig", newline=newline, errors=errors)
