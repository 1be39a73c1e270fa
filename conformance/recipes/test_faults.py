"""What goes wrong in a long run, and what it then does: says so, spoils nothing, and goes on when it can."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from caduceus.conformance.data.fasta_files import fasta_text, random_sequence, write_fasta
from caduceus.conformance.recipes.conftest import Recipes, outcome
from caduceus.data import MaskedLMData
from caduceus.recipes import conclude, environment, pretrain
from caduceus.train import batches, loader
from caduceus.train import fit as fitting
from caduceus.train.bar import Bar
from caduceus.train.metrics import MetricsFile
from caduceus.train.module import MaskedLanguageModel

Patch = pytest.MonkeyPatch


@pytest.fixture
def parts(folder: Path) -> Path:
    """The folder of the run that something happens to."""
    return folder / "parts"


def after_step(monkeypatch: Patch, step: int, happen: Callable[[], object]) -> None:
    """Have something happen once that step is done."""
    original = Bar.after_update

    def patched(self: Bar, trainer: Any, done: int, seen: Any) -> None:
        original(self, trainer, done, seen)
        if done == step:
            happen()

    monkeypatch.setattr(Bar, "after_update", patched)


def names(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").iterdir())


def test_a_full_disk_leaves_the_last_checkpoint_intact(
    recipes: Recipes, uninterrupted: Path, parts: Path, monkeypatch: Patch, capsys: Any
) -> None:
    """A device that has no space takes the place of the file that is written."""
    part = parts / "checkpoints" / f".step-00000004.ckpt.{os.getpid()}.part"
    with monkeypatch.context() as full:
        after_step(full, 3, lambda: part.symlink_to("/dev/full"))
        assert recipes("run", "tiny", "--out", parts) == 1
    said = capsys.readouterr().err
    assert "step-00000004.ckpt could not be written" in said
    assert "earlier checkpoints are untouched" in said
    assert names(parts) == [f"step-0000000{step}.ckpt" for step in (1, 2, 3)]
    assert recipes("run", "tiny", "--out", parts) == 0
    assert outcome(parts) == outcome(uninterrupted)


def test_a_disk_too_full_for_a_row(
    recipes: Recipes, uninterrupted: Path, parts: Path, monkeypatch: Patch, capsys: Any
) -> None:
    table = parts / "metrics.csv"

    def fill() -> None:
        shutil.copy(table, parts / "rows")
        table.unlink()
        table.symlink_to("/dev/full")

    with monkeypatch.context() as full:
        after_step(full, 3, fill)
        assert recipes("run", "tiny", "--out", parts) == 1
    assert "metrics.csv could not be written (No space left on device)" in capsys.readouterr().err
    (parts / "rows").replace(table)
    assert recipes("run", "tiny", "--out", parts) == 0
    assert outcome(parts) == outcome(uninterrupted)


def test_a_dead_worker_is_named_and_the_run_goes_on(
    recipes: Recipes, uninterrupted: Path, parts: Path, monkeypatch: Patch, capsys: Any
) -> None:
    original = MaskedLMData.rows

    def die(self: MaskedLMData, samples: Sequence[int]) -> Any:
        if 13 in samples and self.training:
            assert torch.utils.data.get_worker_info() is not None
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, samples)

    with monkeypatch.context() as faulty:
        faulty.setattr(MaskedLMData, "rows", die)
        assert recipes("run", "tiny", "--set", "workers=1", "--out", parts) == 1
    said = capsys.readouterr().err
    assert "a process that reads data died" in said
    assert "the same command continues" in said
    assert "Traceback" not in said
    assert recipes("run", "tiny", "--out", parts) == 0
    assert outcome(parts) == outcome(uninterrupted)


def test_a_worker_that_dies_as_it_hands_over_a_batch_is_named(
    recipes: Recipes, parts: Path, monkeypatch: Patch, capsys: Any
) -> None:
    def broken(*_: Any, **__: Any) -> Iterator[Any]:
        yield from ()
        raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))

    monkeypatch.setattr(loader, "DataLoader", broken)
    assert recipes("run", "tiny", "--set", "workers=1", "--out", parts) == 1
    assert "a process that reads data died ([Errno" in capsys.readouterr().err


def test_a_loss_that_is_no_number_ends_the_run(recipes: Recipes, folder: Path, capsys: Any) -> None:
    assert recipes("run", "tiny", "--set", "optimiser.lr=1e30", "--set", "optimiser.clip=null", "--out", "nan") == 1
    assert "the loss of step 3 is nan; a lower optimiser.lr" in capsys.readouterr().err
    assert names(folder / "nan")[-1] == "step-00000002.ckpt"


def test_a_gradient_that_is_no_number_reaches_no_weight(
    recipes: Recipes, uninterrupted: Path, parts: Path, monkeypatch: Patch, capsys: Any
) -> None:
    """The loss itself is finite: sqrt has no derivative at 0."""
    original = MaskedLanguageModel.training_step

    def steep(self: MaskedLanguageModel, batch: Any, batch_idx: int) -> torch.Tensor:
        loss = original(self, batch, batch_idx)
        return loss + (0 * self.model.norm_f.weight).sqrt().sum() if batch_idx == 7 else loss

    with monkeypatch.context() as faulty:
        faulty.setattr(MaskedLanguageModel, "training_step", steep)
        assert recipes("run", "tiny", "--out", parts) == 1
    assert "the gradient's norm of step 4 is nan" in capsys.readouterr().err
    assert names(parts)[-1] == "step-00000003.ckpt"
    assert recipes("run", "tiny", "--out", parts) == 0
    assert outcome(parts) == outcome(uninterrupted)


def test_steps_of_n_alone_change_nothing_and_leave_the_loss_empty(recipes: Recipes, folder: Path) -> None:
    """Official windows past the end of a contig all become its last one, here of N."""
    text = fasta_text({"chr1": random_sequence(300, 1) + "N" * 32, "chr2": random_sequence(300, 2)})
    write_fasta(folder, text)
    rows = [("chr1", 0, 100, "train"), ("chr2", 0, 100, "valid"), ("chr2", 0, 100, "test")]
    (folder / "splits.bed").write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    options = ["protocol=official", "model.n_as=pad", "data.length=32", "batch.tokens=64", "max_steps=3"]
    options += ["optimiser.weight_decay=0", "validation.share=0.001", "validation.test_share=0.001"]
    assert recipes("run", "tiny", *(word for option in options for word in ("--set", option)), "--out", "n") == 0
    for row in MetricsFile(folder / "n" / "metrics.csv").rows():
        assert (row["train/loss"], row["train/targets"], row["train/grad_norm"]) == (None, 0, 0.0)
    first, last = (
        torch.load(folder / "n" / "checkpoints" / f"step-0000000{step}.ckpt", weights_only=True)["state_dict"]
        for step in (1, 3)
    )
    assert all(torch.equal(first[name], last[name]) for name in first)


def test_checkpoints_of_which_none_can_be_read_are_kept_and_refused(
    recipes: Recipes, uninterrupted: Path, capsys: Any
) -> None:
    (uninterrupted / "results.json").unlink()
    for path in (uninterrupted / "checkpoints").iterdir():
        path.write_bytes(path.read_bytes()[:200])
    before = names(uninterrupted), (uninterrupted / "metrics.csv").read_text()
    assert recipes("run", "tiny", "--out", uninterrupted) == 2
    assert "no checkpoint in" in capsys.readouterr().err
    assert (names(uninterrupted), (uninterrupted / "metrics.csv").read_text()) == before


def test_an_unreadable_checkpoint_does_not_push_out_a_good_one(recipes: Recipes, uninterrupted: Path) -> None:
    (uninterrupted / "results.json").unlink()
    checkpoints = uninterrupted / "checkpoints"
    (checkpoints / "step-00000006.ckpt").write_bytes(b"cut short")
    options = ("--set", "checkpoints.every=4", "--set", "checkpoints.keep=1", "--set", "max_time=00:00:00")
    for path in sorted(checkpoints.iterdir())[3:5]:
        path.unlink()
    assert recipes("run", "tiny", *options, "--out", uninterrupted) == 124
    assert names(uninterrupted) == ["step-00000004.ckpt", "step-00000006.ckpt"]


def test_a_checkpoint_of_other_micro_batches_is_refused(
    recipes: Recipes, tiny: dict[str, Any], parts: Path, monkeypatch: Patch, capsys: Any
) -> None:
    """The same recipe, where devices and micro-batches are left to the machine, on another machine."""
    options = ("--set", "batch.per_device=null", "--out", parts)
    assert recipes("run", "tiny", *options, "--set", "max_time=00:00:00") == 124
    monkeypatch.setattr(batches, "_TOKENS_AT_ONCE", 25)
    assert recipes("run", "tiny", *options) == 2
    said = capsys.readouterr().err
    assert "the checkpoint was written with {'world': 1, 'per_device': 4, 'accumulate': 1}, this run has" in said


def remembered(run: Path, **means: Any) -> None:
    """Have the newest checkpoint remember other means; None: nothing of that name, as in earlier versions."""
    path = sorted((run / "checkpoints").iterdir())[-1]
    found = torch.load(path, weights_only=True)
    kept = found["callbacks"]["Journal"]["means"]
    kept |= means
    for name in [name for name in kept if kept[name] is None]:
        del kept[name]
    torch.save(found, path)


def test_another_precision_than_the_machine_chose_at_first_is_refused(
    recipes: Recipes, uninterrupted: Path, parts: Path, monkeypatch: Patch, capsys: Any
) -> None:
    """The field that the message names is then the same run, and goes on to the bit."""
    run = ("run", "tiny", "--out", parts)
    assert recipes(*run, "--set", "max_time=00:00:00") == 124
    original = fitting.precision

    def elsewhere(settings: Any) -> str:
        return "bf16-mixed" if settings.precision == "auto" else original(settings)

    for module in (fitting, environment):
        monkeypatch.setattr(module, "precision", elsewhere)
    assert recipes(*run) == 2
    said = capsys.readouterr().err
    assert "was written with precision 32-true, this run computes with bf16-mixed: give --set precision=32-true" in said
    assert recipes(*run, "--set", "precision=16-mixed") == 2
    assert "holds the run of another recipe" in capsys.readouterr().err
    assert recipes(*run, "--set", "precision=32-true") == 0
    assert outcome(parts) == outcome(uninterrupted)


def test_another_backend_is_refused_and_other_threads_are_said(
    recipes: Recipes, uninterrupted: Path, parts: Path, capsys: Any
) -> None:
    run = ("run", "tiny", "--out", parts)
    assert recipes(*run, "--set", "max_time=00:00:00") == 124
    assert "instead of" not in capsys.readouterr().out
    remembered(parts, backend="none")
    assert recipes(*run) == 2
    assert "the checkpoint was written with backend none, this run computes with " in capsys.readouterr().err
    remembered(parts, backend=None, threads=99, instructions="none")
    assert recipes(*run, "--set", "max_time=00:00:00") == 124
    said = capsys.readouterr().out
    assert "continuing with threads 1 instead of 99, instruction set " in said
    assert " instead of none: the last bits may differ" in said
    remembered(parts, precision=None, backend=None, threads=None, instructions=None)
    assert recipes(*run) == 0
    assert "instead of" not in capsys.readouterr().out
    assert outcome(parts) == outcome(uninterrupted)


def test_a_report_that_cannot_be_drawn_does_not_keep_a_run_from_ending(
    recipes: Recipes, uninterrupted: Path, parts: Path, monkeypatch: Patch, capsys: Any
) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("no such font")

    for module in (pretrain, conclude):
        monkeypatch.setattr(module, "refresh", fail)
    assert recipes("run", "tiny", "--out", parts) == 0
    said = capsys.readouterr().out
    assert "could not be refreshed (ValueError: no such font); training goes on" in said
    assert "could not be refreshed (ValueError: no such font); results.json holds the results" in said
    assert outcome(parts) == outcome(uninterrupted)
    assert (parts / "results.json").is_file()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has"),
        RuntimeError("backend 'cpu' can't allocate memory: mamba_forward needs 819,200,000 bytes to work in"),
    ],
    ids=["cuda", "cpu"],
)
def test_memory_that_does_not_suffice_is_said_with_what_to_do(
    recipes: Recipes, parts: Path, monkeypatch: Patch, capsys: Any, error: RuntimeError
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(MaskedLanguageModel, "training_step", fail)
    assert recipes("run", "tiny", "--out", parts) == 1
    said = str(error).partition(". ")[0]
    assert (
        f"does not fit into memory ({said}); lower batch.per_device, or set checkpoint_activations: true"
        in capsys.readouterr().err
    )


def test_the_time_limit_stops_with_a_checkpoint_and_is_no_other_run(
    recipes: Recipes, uninterrupted: Path, folder: Path, capsys: Any
) -> None:
    """No time at all: each part does one step, the third stops before its validation. The folder is the default one."""
    for part in (1, 2, 3):
        assert recipes("run", "tiny", "--set", "max_time=00:00:00") == 124
        assert f"stopped at step {part}; the same command continues" in capsys.readouterr().err
    (run,) = (folder / "runs").iterdir()
    assert [row["step"] for row in MetricsFile(run / "metrics.csv").rows()] == [1, 2]
    assert recipes("run", "tiny", "--set", "max_time=1:00:00:00", "--set", "workers=1") == 0
    assert outcome(run) == outcome(uninterrupted)


@pytest.fixture
def heeded() -> Iterator[None]:
    """SIGHUP as a shell sets it, even where the tests themselves are run by nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP])
def test_a_signal_may_come_twice(
    recipes: Recipes, uninterrupted: Path, parts: Path, monkeypatch: Patch, capsys: Any, number: int
) -> None:
    """Launchers and schedulers pass signals on: a step is finished all the same."""
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with monkeypatch.context() as signalled:
        after_step(signalled, 3, lambda: [os.kill(os.getpid(), number) for _ in range(2)])
        assert recipes("run", "tiny", "--out", parts) == 128 + number
    assert "stopped at step 4; the same command continues" in capsys.readouterr().err
    assert recipes("run", "tiny", "--out", parts) == 0
    assert outcome(parts) == outcome(uninterrupted)


def test_nohup_is_respected(
    recipes: Recipes, uninterrupted: Path, parts: Path, monkeypatch: Patch, capsys: Any
) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        after_step(monkeypatch, 3, lambda: os.kill(os.getpid(), signal.SIGHUP))
        assert recipes("run", "tiny", "--out", parts) == 0
    finally:
        signal.signal(signal.SIGHUP, before)
    assert outcome(parts) == outcome(uninterrupted)


def test_a_second_interrupt_stops_at_once(recipes: Recipes, parts: Path, monkeypatch: Patch) -> None:
    after_step(monkeypatch, 3, lambda: [os.kill(os.getpid(), signal.SIGINT) for _ in range(2)])
    assert recipes("run", "tiny", "--out", parts) == 130
    assert names(parts)[-1] == "step-00000003.ckpt"


def test_a_kill_before_anything_was_written(recipes: Recipes, uninterrupted: Path, parts: Path) -> None:
    """A folder with nothing but what was half written, or with the recipe alone, is still this run's."""
    parts.mkdir()
    (parts / ".recipe.yaml.1.part").write_text("task: pre")
    assert recipes("run", "tiny", "--set", "max_steps=1", "--out", parts) == 0
    assert not list(parts.glob(".*"))
    shutil.rmtree(parts)
    parts.mkdir()
    shutil.copy(uninterrupted / "recipe.yaml", parts)
    assert recipes("run", "tiny", "--out", parts) == 0
    assert outcome(parts) == outcome(uninterrupted)


def test_a_terminal_that_closes_does_not_end_a_run(recipes: Recipes, parts: Path, monkeypatch: Patch) -> None:
    class Closed:
        def write(self, text: str) -> int:
            raise OSError("Input/output error")

        def flush(self) -> None:
            raise OSError("Input/output error")

    after_step(monkeypatch, 2, lambda: monkeypatch.setattr(sys, "stdout", Closed()))
    recipes("run", "tiny", "--out", parts)
    assert (parts / "results.json").is_file()
