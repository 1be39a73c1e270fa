"""A file over HTTP, block by block, each block on the disk before the next is asked for: what broke off is continued.

Requests are those of fsspec, which training stands on anyway. Pooch, which the field knows better, begins again when a
connection breaks: a gigabyte is too much for that.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import aiohttp
from fsspec.implementations.http import HTTPFileSystem

from caduceus.recipes.errors import FetchFailed
from caduceus.train.bar import bytes_bar, say
from caduceus.train.files import written_whole

BLOCK = 1 << 23
TRIES, PAUSE = 4, 2.0
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=60)
_BROKEN = (aiohttp.ClientError, asyncio.TimeoutError, ConnectionError)


@dataclass(frozen=True)
class Version:
    """Which version of a file a server has; a part of one is not continued with another."""

    url: str
    size: int | None
    tag: str | None


class _NoRanges(Exception):
    """The server gives whole files only."""


def download(url: str, part: Path) -> None:
    """Bring the file at ``url`` to ``part``, continuing what is there if it is of the same version.

    Raises:
        FetchFailed: with the reason; ``part`` keeps what was brought, if it can be continued.
    """
    files = HTTPFileSystem(
        skip_instance_cache=True,
        client_kwargs={"timeout": _TIMEOUT, "trust_env": True},  # proxies are those of the environment
        headers={"Accept-Encoding": "identity"},
    )
    version, ranges = _version(files, url)
    done = _continued(part, version) if ranges else 0
    _check_space(part, version, done)
    with written_whole(_note(part)) as file:
        file.write(json.dumps(asdict(version)).encode())
    with (
        part.open("r+b" if done else "wb") as written,
        bytes_bar(version.size, done, Path(urlsplit(url).path).name) as bar,
    ):
        _bring(files, version, written, bar, done, ranges)
        os.fsync(written.fileno())


def forget(part: Path) -> None:
    """Remove what `download` brought, and what it noted of it."""
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _bring(files: Any, version: Version, written: BinaryIO, bar: Any, done: int, ranges: bool) -> None:
    """Blocks until the file is whole; a broken connection is tried again a few times, each after a longer pause."""
    failures, furthest = 0, done
    while True:
        try:
            if ranges:
                _blocks(files, version, written, bar, done)
            else:
                _stream(files, version, written, bar)
            return
        except _NoRanges:
            say("the server gives whole files only: a download that breaks off begins again")
            ranges = False
        except _BROKEN as error:
            done = written.tell()
            failures = 1 if done > furthest else failures + 1
            furthest = max(done, furthest)
            if failures == TRIES:
                kept = "the same command continues it" if ranges else "the same command begins again"
                raise FetchFailed(
                    f"the connection to {version.url} broke off at {done:,} of {_size(version)} bytes "
                    f"({_reason(error)}), {TRIES} times; {kept}"
                ) from error
            time.sleep(PAUSE * 2 ** (failures - 1))


def _blocks(files: Any, version: Version, written: BinaryIO, bar: Any, done: int) -> None:
    """Ask for the file in blocks from ``done`` on."""
    written.seek(done)
    written.truncate()
    remote = files.open(version.url, block_size=BLOCK, cache_type="none", size=version.size)
    while (at := written.tell()) < (version.size or 0):
        remote.seek(at)
        try:
            block = remote.read(BLOCK)
        except ValueError as error:  # what fsspec says where a range was asked for and the whole file came
            raise _NoRanges from error
        if not block:
            raise ConnectionError("the server ended early")
        _write(written, block, bar)


def _stream(files: Any, version: Version, written: BinaryIO, bar: Any) -> None:
    """Ask for the whole file at once."""
    written.seek(0)
    written.truncate()
    bar.reset()
    with files.open(version.url, block_size=0, size=version.size) as remote:
        while block := remote.read(BLOCK):
            _write(written, block, bar)
    if version.size is not None and written.tell() != version.size:
        raise ConnectionError("the server ended early")


def _write(written: BinaryIO, block: bytes, bar: Any) -> None:
    try:
        written.write(block)
        written.flush()
    except OSError as error:
        raise FetchFailed(
            f"{written.name} could not be written: {error.strerror}; the same command continues"
        ) from error
    bar.update(len(block))


def _version(files: Any, url: str) -> tuple[Version, bool]:
    """What the server has, and whether parts of it may be asked for."""
    try:
        info = files.info(url)
    except FileNotFoundError as error:
        raise FetchFailed(_unreachable(url, error.__cause__)) from error
    size = info.get("size")
    return Version(url, size, info.get("ETag") or info.get("Last-Modified")), bool(size) and info.get("partial", True)


def _continued(part: Path, version: Version) -> int:
    """How many bytes of this version are there; those of another one are left out."""
    note = _note(part)
    if not (part.is_file() and note.is_file()):
        return 0
    if json.loads(note.read_text(encoding="utf-8")) != asdict(version):
        say(f"the file on the server is another one than that of which {part.name} is a part: beginning again")
        return 0
    done = min(part.stat().st_size, version.size or 0)
    say(f"continuing at {done:,} of {_size(version)} bytes")
    return done


def _check_space(part: Path, version: Version, done: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if version.size is not None and version.size - done > free:
        raise FetchFailed(f"{version.url} has {version.size:,} bytes, {part.parent} has room for {free:,}")


def _unreachable(url: str, error: BaseException | None) -> str:
    if isinstance(error, aiohttp.ClientResponseError):
        hint = "; another mirror can be given by --set files.NAME.url=URL" if error.status == 404 else ""
        return f"{url}: the server answers {error.status} {error.message}{hint}"
    host = urlsplit(url).netloc
    return f"{host} cannot be reached ({_reason(error)}); is there a network? Behind a proxy, set HTTPS_PROXY"


def _reason(error: BaseException | None) -> str:
    return str(error) or type(error).__name__


def _size(version: Version) -> str:
    return "?" if version.size is None else f"{version.size:,}"
