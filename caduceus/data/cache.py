"""Files derived from the user's files: where they live, and how they appear there whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


def cache_dir() -> Path:
    """Folder for files that can be made again: ``$CADUCEUS_CACHE``, else ``~/.cache/caduceus``."""
    return Path(os.environ.get("CADUCEUS_CACHE") or "~/.cache/caduceus").expanduser().absolute()


def cache_entry(source: Path) -> Path:
    """Folder for what is derived from ``source`` as it is now: another path, size or date is another folder."""
    stat = source.stat()
    key = f"{source.absolute()}\0{stat.st_size}\0{stat.st_mtime_ns}"
    return cache_dir() / "genomes" / f"{source.name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


@contextmanager
def published(folder: Path) -> Iterator[Path]:
    """A temporary folder whose files move into ``folder`` when the block ends, and vanish if it fails.

    Each file replaces its namesake in one step, in the order of their names from last to first.
    """
    with TemporaryDirectory(dir=folder, prefix=".caduceus-") as temporary:
        yield Path(temporary)
        for made in sorted(Path(temporary).iterdir(), reverse=True):
            with made.open("rb") as written:
                os.fsync(written.fileno())
            made.replace(folder / made.name)
