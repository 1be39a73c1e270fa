"""``fetch``: the files of a data set, brought once, checked before they take their names, and compared ever after.

Beside the files stands fetched.json: for each its sha256, taken at the first fetch, and where it came from. A file that
is there is compared with it; one that is brought again must be the same.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from caduceus.data import Genome, Intervals
from caduceus.data.cache import published
from caduceus.data.intervals import SPLITS
from caduceus.data.locks import locked
from caduceus.recipes.digest import sha256
from caduceus.recipes.errors import FetchFailed
from caduceus.recipes.fetch_http import download, forget
from caduceus.recipes.run_dir import json_text
from caduceus.recipes.sources import DataSet, Remote
from caduceus.train.bar import say
from caduceus.train.files import written_whole

RECORD = "fetched.json"
_PACKED = (".gz", ".bgz")
_SHOWN = 5


def data_folder() -> Path:
    """Where recipes look for data: the folder that CADUCEUS_DATA names, else this one."""
    return Path(os.environ.get("CADUCEUS_DATA") or ".")


def fetch(told: DataSet, to: Path) -> None:
    """Bring the files that are not in the folder ``to``, check those that are, and say so.

    Raises:
        FetchFailed: a file cannot be brought, or is not what it should be; nothing new stands under its name.
    """
    genome = None
    for field, remote in told.files.by_field().items():
        target = to / remote.path
        settled = target.is_file() and target.name in _record(target)  # a shared folder may be read-only
        with nullcontext() if settled else locked(target.parent):
            here = target.is_file()
            with _here(target) if here else _arriving(remote, target) as path:
                _check(field, path, told, genome)
                _compare(remote, path, target, arrived=not here)
        genome = Genome(target) if field == "fasta" else genome
    say(f"ready in {to.absolute()}")


@contextmanager
def _here(target: Path) -> Iterator[Path]:
    say(f"{target} is here")
    yield target


@contextmanager
def _arriving(remote: Remote, target: Path) -> Iterator[Path]:
    """The file, downloaded and unpacked; it takes its name when the block ends, and vanishes if that fails."""
    part = target.with_name(f".{Path(remote.url).name}.part")
    say(f"fetching {remote.url}")
    download(remote.url, part)
    with published(target.parent) as folder:
        made = folder / target.name
        if remote.url.endswith(_PACKED) and not remote.path.endswith(_PACKED):
            _unpack(part, made)
        else:
            part.rename(made)
        try:
            yield made
        except FetchFailed:
            forget(part)  # what is wrong with it stays wrong
            raise
    forget(part)


def _unpack(packed: Path, plain: Path) -> None:
    say(f"unpacking into {plain.name}")
    try:
        with gzip.open(packed) as source, plain.open("wb") as made:
            shutil.copyfileobj(source, made, 1 << 22)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        forget(packed)
        raise FetchFailed(f"what came is a damaged gzip file ({error}) and was removed; fetch it again") from error
    except OSError as error:
        raise FetchFailed(f"{plain.name} could not be unpacked: {error.strerror}; the download is kept") from error


def _check(field: str, path: Path, told: DataSet, genome: Genome | None) -> None:
    """Raise FetchFailed unless the file is a genome with these contigs, or intervals of every split, inside it."""
    try:
        if field == "fasta":
            opened = Genome(path)
            opened.close()
            check_contigs(opened, told.contigs)
            say(f"genome: {len(opened.contigs):,} contigs, {sum(opened.contigs.values()):,} bases")
            return
        intervals = Intervals.read(path)
        if genome is not None:
            intervals.check(genome)
        say("intervals: " + ", ".join(f"{split} {len(intervals.of(split)):,}" for split in SPLITS))
    except ValueError as error:
        raise FetchFailed(f"{path.name} is not what it should be: {error}") from error


def check_contigs(genome: Genome, expected: dict[str, int]) -> None:
    """Raise ValueError unless the genome holds these contigs in these lengths; the first that differ are named."""
    wrong = []
    for name, length in expected.items():
        found = genome.contigs.get(name)
        if found != length:
            has = "is not there" if found is None else f"has {found:,} bases"
            wrong.append(f"{name!r} {has}, expected {length:,}")
    if wrong:
        more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        names = ", ".join(map(repr, list(genome.contigs)[:_SHOWN]))
        raise ValueError(
            f"{len(wrong)} of {len(expected)} contigs differ: {'; '.join(wrong[:_SHOWN])}{more}. "
            f"It holds {len(genome.contigs)}, the first are {names}"
        )


def _compare(remote: Remote, path: Path, target: Path, arrived: bool) -> None:
    """Raise FetchFailed unless the file has the sha256 that was given and recorded; record it the first time."""
    record, known = target.with_name(RECORD), _record(target)
    before = known.get(target.name, {}).get("sha256")
    found = sha256(path)
    for expected, whence in ((remote.sha256, "as the data set says"), (before, f"as recorded in {record}")):
        if expected is not None and found != expected:
            end = "it was not kept" if arrived else "the file has changed: move it away and fetch again"
            raise FetchFailed(f"{target}: sha256 is {found}, expected {expected}, {whence}; {end}")
    if before is None:
        known[target.name] = {
            "sha256": found,
            "bytes": path.stat().st_size,
            "url": remote.url if arrived else None,
            "recorded": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }
        with written_whole(record) as file:
            file.write(json_text(known).encode())
    say(f"sha256 {found}, {'recorded' if before is None else 'as recorded'}")


def _record(target: Path) -> dict[str, Any]:
    """What fetched.json beside a file holds; empty if it is absent."""
    path = target.with_name(RECORD)
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found
