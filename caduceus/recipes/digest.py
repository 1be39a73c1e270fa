"""The sha256 of a file or a folder, which names what a run read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from caduceus.train.bar import bytes_bar

_BLOCK = 1 << 22


def sha256(path: Path) -> str:
    """64 hex digits; of a folder that of the names and contents of its files, whatever order they are listed in."""
    digest = hashlib.sha256()
    if path.is_dir():
        for one in files_in(path):
            digest.update(f"{one.relative_to(path).as_posix()}\0{sha256(one)}\n".encode())
        return digest.hexdigest()
    with path.open("rb") as file, bytes_bar(path.stat().st_size, 0, f"sha256 of {path.name}") as bar:
        while block := file.read(_BLOCK):
            digest.update(block)
            bar.update(len(block))
    return digest.hexdigest()


def files_in(folder: Path) -> list[Path]:
    """The files of a folder and of those in it, such as a folder for each class, by name."""
    return sorted(
        (path for path in held_in(folder) if path.is_file()), key=lambda path: path.relative_to(folder).as_posix()
    )


def held_in(path: Path) -> Iterator[Path]:
    """A file; a folder, what is in it, and what is in its folders; nothing of what is gone."""
    return (one for one in (path, *path.glob("*"), *path.glob("*/*")) if one.exists())
