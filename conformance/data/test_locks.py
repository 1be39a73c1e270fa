"""Locks between processes: one holder at a time, none that outlives it, and none where there cannot be any."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from caduceus.data.locks import LOCK, Taken, locked


def taken(folder: Path) -> bool:
    """Whether somebody holds it."""
    try:
        with locked(folder, wait=False):
            return False
    except Taken:
        return True


def test_it_is_held_once_until_the_block_ends(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "here"
    with locked(folder):
        assert taken(folder)
        assert not taken(tmp_path)
    assert not taken(folder)


def test_a_child_that_outlives_the_block_does_not_keep_it(tmp_path: Path) -> None:
    """Such as a process that reads data, after its parent was killed."""
    reading, writing = os.pipe()
    ready, begun = os.pipe()
    with locked(tmp_path):
        child = os.fork()
        if not child:
            os.close(writing)
            os.write(begun, b"!")
            os.read(reading, 1)
            os._exit(0)
        os.read(ready, 1)  # what a fork does in the child is done
        assert taken(tmp_path)
    try:
        assert not taken(tmp_path)
    finally:
        for pipe in (reading, writing, ready, begun):
            os.close(pipe)
        os.waitpid(child, 0)


def test_who_waited_for_a_file_that_was_removed_holds_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, done, waiting = threading.Event(), threading.Event(), threading.Event()
    original = fcntl.flock

    def noted(file: Any, how: int) -> None:
        waiting.set()
        original(file, how)

    def wait() -> None:
        with locked(tmp_path):
            held.set()
            done.wait(60)

    with locked(tmp_path):
        monkeypatch.setattr(fcntl, "flock", noted)
        other = threading.Thread(target=wait)
        other.start()
        assert waiting.wait(60)
        (tmp_path / LOCK).unlink()
    assert held.wait(60)
    assert taken(tmp_path)
    done.set()
    other.join()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK])
@pytest.mark.parametrize("wait", [True, False])
def test_a_file_system_without_locks_is_worked_on_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, wait: bool
) -> None:
    def absent(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", absent)
    done = []
    with locked(tmp_path, wait):
        done.append(1)
    assert done == [1]


def test_any_other_failure_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", failing)
    with pytest.raises(OSError, match="Input/output error"), locked(tmp_path):
        pytest.fail("it went on")
