"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_PART = ".part"


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write to; it goes to the disk and takes its name when the block ends, and vanishes if it fails.

    Raises:
        OSError: it could not be written; the message names it, and whatever had its name before is still there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{_PART}")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise OSError(_said(error, path)) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def appended(path: Path) -> Iterator[BinaryIO]:
    """A file to append to, made if it is absent; OSError names it."""
    try:
        with path.open("ab") as file:
            yield file
    except OSError as error:
        raise OSError(_said(error, path)) from error


def sweep(folder: Path) -> None:
    """Remove what processes that were killed while they wrote have left."""
    for path in folder.glob(f".*{_PART}"):
        path.unlink(missing_ok=True)


def is_part(path: Path) -> bool:
    """Whether this is such a file: half written, or being written."""
    return path.name.startswith(".") and path.suffix == _PART


def _sync(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where the file system can say so."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _said(error: OSError, path: Path) -> str:
    """What a failing write raises names no file."""
    return f"{path} could not be written ({os.strerror(error.errno) if error.errno else error})"
