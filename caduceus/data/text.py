"""Files of text as people have them: plain, gzip or BGZF, with or without a byte order mark."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import TextIO

_GZIP = b"\x1f\x8b"


def is_packed(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as gzip does, and BGZF with it, whatever its name says.

    Raises:
        FileNotFoundError: there is no such file; the message names it.
    """
    source = Path(path).expanduser()
    if not source.is_file():
        raise FileNotFoundError(f"no file at {source}")
    with source.open("rb") as file:
        return file.read(len(_GZIP)) == _GZIP


def opened(path: str | os.PathLike[str], *, newline: str = "", errors: str = "strict") -> TextIO:
    """A file in UTF-8, packed or not, for reading; ``newline`` and ``errors`` as of the built-in ``open``.

    Raises:
        FileNotFoundError: there is no such file; the message names it.
    """
    source = Path(path).expanduser()
    if is_packed(source):
        return gzip.open(source, "rt", encoding="utf-8-sig", newline=newline, errors=errors)
    return source.open(encoding="utf-8-sig", newline=newline, errors=errors)
