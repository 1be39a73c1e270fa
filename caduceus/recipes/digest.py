"""The sha256 of a file, which names what a run read."""

from __future__ import annotations

import hashlib
from pathlib import Path

from caduceus.train.bar import bytes_bar

_BLOCK = 1 << 22


def sha256(path: Path) -> str:
    """64 hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file, bytes_bar(path.stat().st_size, 0, f"sha256 of {path.name}") as bar:
        while block := file.read(_BLOCK):
            digest.update(block)
            bar.update(len(block))
    return digest.hexdigest()
