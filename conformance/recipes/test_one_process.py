"""One process at a time works in a run folder."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from caduceus.conformance.recipes.conftest import Recipes, outcome
from caduceus.conformance.recipes.nursery import Nursery
from caduceus.data.locks import LOCK, locked
from caduceus.recipes import report
from caduceus.recipes.errors import Refused
from caduceus.recipes.find import find
from caduceus.recipes.load import load
from caduceus.recipes.run_dir import RunFolder
from caduceus.recipes.schema import Recipe
from caduceus.train import ranks
from caduceus.train.files import is_part
from caduceus.train.metrics import MetricsFile


def test_a_second_process_is_refused_until_the_first_is_gone(
    recipes: Recipes, nursery: Nursery, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """The first has a process that reads data; SIGKILL leaves that behind for some seconds, but not the lock."""
    monkeypatch.setattr(report, "find_spec", lambda name: None)
    run = ("run", "tiny", "--set", "max_steps=40", "--out", "out")
    first = nursery.run(*run, "--set", "workers=1", folder=folder)
    table = MetricsFile(folder / "out" / "metrics.csv")
    nursery.until(lambda: len(table.rows()) >= 1)
    os.kill(first, signal.SIGSTOP)
    before = contents(folder / "out")
    assert recipes(*run) == 2
    assert "another process is at work in out" in capsys.readouterr().err
    assert contents(folder / "out") == before
    os.kill(first, signal.SIGKILL)
    assert nursery.wait(first) == -signal.SIGKILL
    assert (folder / "out" / LOCK).exists()
    assert recipes(*run) == 0
    assert len(table.rows()) == 40
    assert not [path for path in (folder / "out").iterdir() if path.name == LOCK or is_part(path)]


def contents(run: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_a_run_that_ended_while_another_was_asked_for_is_shown(
    recipes: Recipes, uninterrupted: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The results are written between the look at them and the lock."""
    results = uninterrupted / "results.json"
    results.rename(folder / "results")
    before = contents(uninterrupted)
    original = fcntl.flock

    def finishing(file: Any, how: int) -> None:
        if (folder / "results").exists():
            (folder / "results").rename(results)
        original(file, how)

    monkeypatch.setattr(fcntl, "flock", finishing)
    assert recipes("run", "tiny", "--out", uninterrupted) == 0
    results.rename(folder / "results")
    assert contents(uninterrupted) == before


def test_a_finished_run_is_shown_whoever_holds_its_folder(recipes: Recipes, uninterrupted: Path) -> None:
    with locked(uninterrupted):
        assert recipes("run", "tiny", "--out", uninterrupted) == 0


def test_what_is_refused_leaves_no_folder(recipes: Recipes, folder: Path) -> None:
    assert recipes("run", "tiny", "--set", "data.fasta=absent.fa", "--out", Path("new", "run")) == 2
    assert not (folder / "new").exists()


def test_the_lock_of_a_killed_run_makes_no_folder_strange(recipes: Recipes, folder: Path, uninterrupted: Path) -> None:
    """Nor does a copy of it."""
    killed = folder / "killed"
    killed.mkdir()
    (killed / LOCK).touch()
    shutil.copytree(killed, folder / "copied")
    assert recipes("run", "tiny", "--out", "copied") == 0
    assert outcome(folder / "copied") == outcome(uninterrupted)


def test_ranks_of_a_training_run_are_one(recipes: Recipes, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks that a launcher starts by mistake for a recipe that knows no ranks are not."""
    monkeypatch.setattr(ranks, "process_rank", lambda: 1)
    trained, other = load(find("tiny")), Recipe(task="other", name="other")
    with locked(folder / "run"):
        with RunFolder(trained, folder / "run").held():
            pass
        (folder / "run" / "recipe.yaml").write_text(other.to_yaml())
        with pytest.raises(Refused, match="another process is at work"), RunFolder(other, folder / "run").held():
            pytest.fail("it went on")


def test_without_locks_a_run_goes_on(
    recipes: Recipes, folder: Path, uninterrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*_: Any) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", absent)
    assert recipes("run", "tiny", "--out", "out") == 0
    assert outcome(folder / "out") == outcome(uninterrupted)
