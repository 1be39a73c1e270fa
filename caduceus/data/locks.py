"""Locks between processes. The system takes a lock back when its holder dies, however it dies."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

LOCK = ".lock"
# What a file system says that has no locks, as Lustre where it is mounted without.
_WITHOUT = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)
_held: set[FileIO] = set()


class Taken(Exception):
    """Another process holds the lock."""


@contextmanager
def locked(folder: Path, wait: bool = True) -> Iterator[None]:
    """Hold ``folder``, made if absent, against other processes; on a file system that has no locks, go on without.

    Raises:
        Taken: another process holds it, and ``wait`` is False.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _acquired(folder / LOCK, wait) as file:
        _held.add(file)
        try:
            yield
        finally:
            _held.discard(file)


def _acquired(path: Path, wait: bool) -> FileIO:
    """The file, locked; again where the last holder has removed it meanwhile, so that the next one makes another."""
    while True:
        file = FileIO(path, "a")
        try:
            _lock(file, wait)
            if _is_at(file, path):
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def _lock(file: FileIO, wait: bool) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError as error:
        raise Taken from error
    except OSError as error:
        if error.errno not in _WITHOUT:
            raise


def _is_at(file: FileIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _leave_to_the_parent() -> None:
    """In a process that was forked: it may outlive its parent, and a lock lives as long as anybody has its file."""
    for file in _held:
        file.close()
    _held.clear()


os.register_at_fork(after_in_child=_leave_to_the_parent)
