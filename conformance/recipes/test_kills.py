"""A run that is killed again and again, at random moments, ends as one that was left alone."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import settings

from caduceus.conformance.recipes.conftest import outcome
from caduceus.conformance.recipes.nursery import SLOW_DISK, Nursery, order
from caduceus.train.files import is_part
from caduceus.train.metrics import MetricsFile

KILLS = 20 if settings.get_current_profile_name() == "deep" else 3
STEPS = 5 * KILLS
"""Fewer than five steps are done between two kills."""
RUN = ("run", "tiny", "--set", f"max_steps={STEPS}", "--out", "out")


@pytest.fixture
def place(folder: Path, tiny: dict[str, Any]) -> Path:
    """Where both runs find their recipe and genome, each in a folder of its own."""
    (folder / "recipes").mkdir()
    (folder / "recipes" / "tiny.yaml").write_text(yaml.safe_dump(tiny))
    return folder


@pytest.mark.parametrize(("workers", "equivariance"), [(0, "ps"), (2, "ph")])
def test_kills_at_random_moments_leave_no_trace(nursery: Nursery, place: Path, workers: int, equivariance: str) -> None:
    """Weights, table and order of the data; every other kill comes while a checkpoint is being written.

    The run that is not killed has no workers; `ph` draws the strand of each sample.
    """
    whole, parts = (_copy(place, name) for name in ("whole", "parts"))
    run = (*RUN, "--set", f"equivariance={equivariance}")
    assert nursery.wait(nursery.run(*run, folder=whole)) == 0, (whole / "log.txt").read_text()
    seed = random.randrange(1 << 32)
    moments = random.Random(seed)
    for kill in range(KILLS):
        process = nursery.run(*run, "--set", f"workers={workers}", folder=parts)
        _await_a_moment(nursery, parts / "out", moments, in_a_write=kill % 2 == 0)
        os.kill(process, signal.SIGKILL)
        assert nursery.wait(process) == -signal.SIGKILL
        if kill % 2 == 0:
            assert _half_written(parts / "out"), f"seed {seed}: kill {kill} came too late"
    assert nursery.wait(nursery.run(*run, "--set", f"workers={workers}", folder=parts)) == 0
    said = f"seed {seed}\n{(parts / 'log.txt').read_text()}"
    assert outcome(parts / "out") == outcome(whole / "out"), said
    assert order(parts) == order(whole), said
    assert len(order(whole)) == 2 * STEPS
    assert not _half_written(parts / "out")


def _copy(place: Path, name: str) -> Path:
    shutil.copytree(place, place / name, ignore=shutil.ignore_patterns("whole", "parts"))
    return place / name


def _await_a_moment(nursery: Nursery, run: Path, moments: random.Random, in_a_write: bool) -> None:
    """None, one or two steps on, and a little later; or, after that, until a checkpoint is being written."""
    table = MetricsFile(run / "metrics.csv")
    rows, more = len(table.rows()), moments.choice([0, 1, 2])
    nursery.until(lambda: len(table.rows()) >= rows + more)
    time.sleep(moments.uniform(0, 2 * SLOW_DISK))
    if in_a_write:
        nursery.until(lambda: bool(_half_written(run)))


def _half_written(run: Path) -> list[Path]:
    folder = run / "checkpoints"
    return [path for path in folder.iterdir() if is_part(path)] if folder.is_dir() else []
