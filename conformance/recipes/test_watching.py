"""What a person sees of a run while it runs: the bar, rows beside metrics.csv, the time spent waiting for data."""

from __future__ import annotations

import io
import math
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from caduceus.conformance.recipes.conftest import Recipes, outcome
from caduceus.data import MaskedLMData
from caduceus.train.bar import Bar
from caduceus.train.metrics import MetricsFile


@pytest.fixture
def slow_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a sample takes 30 ms."""
    original = MaskedLMData.rows

    def slow(self: MaskedLMData, samples: Sequence[int]) -> Any:
        time.sleep(0.03 * len(samples))
        return original(self, samples)

    monkeypatch.setattr(MaskedLMData, "rows", slow)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("slow_data")
def test_the_bar_shows_tokens_a_second_time_left_and_bits_per_base(
    recipes: Recipes, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert recipes("run", "tiny", "--out", "run") == 0
    shown = terminal.getvalue()
    rows = MetricsFile(folder / "run" / "metrics.csv").rows()
    first, second = (row["train/loss"] or math.nan for row in rows[:2])
    smooth = 0.9 * first + 0.1 * second
    assert f"loss {smooth:.3f}, {smooth / math.log(2):.3f} bits per base]" in shown
    assert re.search(r"300/600 tokens \[00:0\d<00:0\d, +[\d.]+k? tokens/s", shown)
    assert "validation 100%" in shown


def test_rows_go_to_tensorboard_once_each(
    recipes: Recipes, uninterrupted: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the run was stopped after a row that its newest checkpoint does not know."""
    options = ("--set", "loggers=[tensorboard]", "--set", "checkpoints.every=2", "--out", "run")
    original = Bar.after_update

    def fail(self: Bar, trainer: Any, step: int, seen: Any) -> None:
        original(self, trainer, step, seen)
        if step == 3:
            raise OSError("the power is gone")

    with monkeypatch.context() as faulty:
        faulty.setattr(Bar, "after_update", fail)
        assert recipes("run", "tiny", *options) == 1
    assert recipes("run", "tiny", *options) == 0
    assert outcome(folder / "run") == outcome(uninterrupted)
    events = EventAccumulator(str(folder / "run" / "tensorboard")).Reload()
    rows = MetricsFile(folder / "run" / "metrics.csv").rows()
    for name in ("train/loss", "lr", "tokens", "valid/bits_per_base"):
        found = [(event.step, event.value) for event in events.Scalars(name)]
        assert found == [(row["step"], pytest.approx(row[name], rel=1e-6)) for row in rows if row[name] is not None]


@pytest.mark.usefixtures("slow_data")
def test_the_share_of_time_spent_waiting_is_that_of_the_data(recipes: Recipes, folder: Path) -> None:
    """A step of four samples waits at least 120 ms; validations are not counted."""
    assert recipes("run", "tiny", "--set", "max_steps=3", "--set", "validation.every=1", "--out", "run") == 0
    rows = MetricsFile(folder / "run" / "metrics.csv").rows()
    seconds = [0.0, *(row["seconds"] or 0.0 for row in rows)]
    for before, after, row in zip(seconds, seconds[1:], rows, strict=False):
        assert (row["train/waiting"] or 0) * (after - before) > 0.11
        assert (row["train/waiting"] or 2) < 1
