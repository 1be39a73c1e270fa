"""A run that is stopped and started again ends as one that was not: weights, table and order of the samples."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from caduceus.conformance.recipes.conftest import Recipes, outcome
from caduceus.train import fit as fitting
from caduceus.train.bar import Bar
from caduceus.train.metrics import MetricsFile


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_between_steps(
    recipes: Recipes, uninterrupted: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, number: int
) -> None:
    original = Bar.after_update

    def interrupt(self: Bar, trainer: Any, step: int, seen: Any) -> None:
        original(self, trainer, step, seen)
        if step == 3:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Bar, "after_update", interrupt)
    assert recipes("run", "tiny", "--out", "parts") == 128 + number
    said = capsys.readouterr().err
    assert "stopped at step 4; the same command continues" in said
    assert not (folder / "parts" / "results.json").exists()
    monkeypatch.setattr(Bar, "after_update", original)
    assert recipes("run", "tiny", "--out", "parts") == 0
    assert "continuing from step-00000004.ckpt" in capsys.readouterr().out
    assert outcome(folder / "parts") == outcome(uninterrupted)


@pytest.mark.parametrize("which", [1, 2])
def test_a_signal_during_a_validation(
    recipes: Recipes, uninterrupted: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, which: int
) -> None:
    """At step 3, and at the last one, after which nothing is left to train."""
    calls = []
    original = fitting.score

    def interrupt(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == which:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(*arguments)

    monkeypatch.setattr(fitting, "score", interrupt)
    assert recipes("run", "tiny", "--out", "parts") == 143
    assert MetricsFile(folder / "parts" / "metrics.csv").rows()[-1]["step"] == 3 * which - 1
    assert recipes("run", "tiny", "--out", "parts") == 0
    assert outcome(folder / "parts") == outcome(uninterrupted)


@pytest.mark.parametrize("which", [1, 2])
def test_a_signal_as_a_validation_that_waited_ends(
    recipes: Recipes, uninterrupted: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, which: int
) -> None:
    """It comes where Lightning has put its own handler in front, which would end the run with exit status 0."""
    calls: list[int] = []
    original = fitting.score

    def interrupt(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == which:
            os.kill(os.getpid(), signal.SIGTERM)
        found = original(*arguments)
        if len(calls) == which + 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return found

    with monkeypatch.context() as signalled:
        signalled.setattr(fitting, "score", interrupt)
        assert recipes("run", "tiny", "--out", "parts") == 143
        assert recipes("run", "tiny", "--out", "parts") == 143
    assert f"stopped at step {(4, 6)[which - 1]}; the same command continues" in capsys.readouterr().err
    assert not (folder / "parts" / "results.json").exists()
    assert (folder / "parts" / "checkpoints" / f"step-0000000{(4, 6)[which - 1]}.ckpt").is_file()
    assert recipes("run", "tiny", "--out", "parts") == 0
    assert outcome(folder / "parts") == outcome(uninterrupted)


@pytest.mark.parametrize("left", [0, 1, 3, 6])
def test_a_kill_at_any_step(recipes: Recipes, uninterrupted: Path, folder: Path, left: int) -> None:
    """What a killed run leaves: a table that is ahead of its newest checkpoint, its last line cut short."""
    parts = folder / "parts"
    shutil.copytree(uninterrupted, parts)
    for name in ("results.json", "report.html"):
        (parts / name).unlink()
    shutil.rmtree(parts / "model")
    for path in sorted((parts / "checkpoints").iterdir())[left:]:
        path.unlink()
    with (parts / "metrics.csv").open("a") as file:
        file.write("7,700,1")
    assert recipes("run", "tiny", "--out", "parts") == 0
    assert outcome(parts) == outcome(uninterrupted)
    assert json.loads((parts / "results.json").read_text())["seconds"] < 60


def test_a_truncated_checkpoint_is_reported_and_the_one_before_used(
    recipes: Recipes, uninterrupted: Path, folder: Path, capsys: Any
) -> None:
    (uninterrupted / "results.json").unlink()
    newest = uninterrupted / "checkpoints" / "step-00000006.ckpt"
    newest.write_bytes(newest.read_bytes()[:-100])
    before = outcome(uninterrupted)
    assert recipes("run", "tiny", "--out", "whole") == 0
    said = capsys.readouterr().out
    assert "step-00000006.ckpt cannot be read" in said
    assert "continuing from step-00000005.ckpt" in said
    assert outcome(uninterrupted) == before


def test_workers_and_micro_batches_change_nothing_that_matters(
    recipes: Recipes, folder: Path, uninterrupted: Path
) -> None:
    assert recipes("run", "tiny", "--set", "workers=1", "--out", "workers") == 0
    assert outcome(folder / "workers") == outcome(uninterrupted)
    assert recipes("run", "tiny", "--set", "batch.per_device=4", "--out", "whole_batch") == 0
    for one, other in zip(outcome(folder / "whole_batch")[1], outcome(uninterrupted)[1], strict=True):
        assert one["train/targets"] == other["train/targets"]
        assert (one["train/loss"] or 0.0) == pytest.approx(other["train/loss"] or 0.0, rel=1e-5)


def test_checkpointed_activations_change_no_bit_of_a_run(recipes: Recipes, folder: Path, uninterrupted: Path) -> None:
    assert recipes("run", "tiny", "--set", "checkpoint_activations=true", "--out", "run") == 0
    assert outcome(folder / "run") == outcome(uninterrupted)


def test_half_precision_trains_and_continues_to_the_bit(recipes: Recipes, folder: Path) -> None:
    """The loss stays near that in float32, and a run in parts is the run in one."""
    options = ("--set", "precision=bf16-mixed", "--set", "checkpoint_activations=true")
    assert recipes("run", "tiny", *options, "--out", "one") == 0
    assert recipes("run", "tiny", *options, "--set", "max_time=00:00:00", "--out", "parts") == 124
    assert recipes("run", "tiny", *options, "--out", "parts") == 0
    assert outcome(folder / "parts") == outcome(folder / "one")
    assert recipes("run", "tiny", "--out", "wide") == 0
    rows = zip(outcome(folder / "one")[1], outcome(folder / "wide")[1], strict=True)
    differences = [abs((one["train/loss"] or 0.0) - (other["train/loss"] or 0.0)) for one, other in rows]
    assert 0 < max(differences) < 0.02


def test_checkpoints_hold_plain_values_and_are_pruned(recipes: Recipes, folder: Path) -> None:
    assert recipes("run", "tiny", "--set", "checkpoints.keep=2", "--out", "run") == 0
    kept = sorted((folder / "run" / "checkpoints").iterdir())
    assert [path.name for path in kept] == ["step-00000005.ckpt", "step-00000006.ckpt"]
    assert torch.load(kept[-1], weights_only=True)["global_step"] == 6


def test_another_genome_under_the_same_name_is_refused(
    recipes: Recipes, uninterrupted: Path, folder: Path, capsys: Any
) -> None:
    (uninterrupted / "results.json").unlink()
    text = (folder / "genome.fa").read_text()
    (folder / "genome.fa").write_text(text[:-100] + text[-100:].replace("A", "C"))
    assert recipes("run", "tiny", "--out", "whole") == 2
    assert "began with another fasta (its sha256 differs)" in capsys.readouterr().err


def test_a_real_kill(recipes: Recipes, uninterrupted: Path, folder: Path) -> None:
    """SIGKILL from outside, at whatever moment the fourth row appears; the same command continues."""
    command = [
        sys.executable,
        "-c",
        "import sys, torch; torch.set_num_threads(1)\nfrom caduceus.recipes.__main__ import main\nsys.exit(main())",
    ]
    slow = subprocess.Popen([*command, "run", "tiny", "--out", "parts"], stdout=subprocess.DEVNULL)
    table = folder / "parts" / "metrics.csv"
    while slow.poll() is None and len(MetricsFile(table).rows()) < 4:
        time.sleep(0.02)
    slow.kill()
    assert slow.wait() == -signal.SIGKILL
    assert recipes("run", "tiny", "--out", "parts") == 0
    assert outcome(folder / "parts") == outcome(uninterrupted)
