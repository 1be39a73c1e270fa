"""Jobs of a run in processes: the same results, none lost to another's failure, all stopped by one signal."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from caduceus.conformance.finetune.small_runs import results, run_folder, write_recipe
from caduceus.conformance.recipes.nursery import Nursery
from caduceus.recipes import tuning_pool
from caduceus.recipes.__main__ import main
from caduceus.recipes.finetuning import Finetuning
from caduceus.recipes.load import load
from caduceus.recipes.tuning_job import PREDICTIONS, all_jobs
from caduceus.recipes.tuning_pool import shares, side_by_side
from caduceus.train.signals import Signals, Stopped

pytestmark = pytest.mark.usefixtures("place")


def outputs(run: Path, job: str) -> np.ndarray:
    with np.load(run / "tasks" / "gc" / job / PREDICTIONS) as held:
        found: np.ndarray = held["outputs"]
    return found


def test_processes_give_the_same_bits_and_one_that_fails_does_not_stop_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_recipe(baselines=["kmers"], threads=1)
    assert main(["run", "tune.yaml", "--set", "jobs=1", "--out", "one"]) == 0
    in_the_way = Path("runs-2/tasks/gc/model-2")
    in_the_way.parent.mkdir(parents=True)
    (in_the_way.parents[2] / "recipe.yaml").write_text((Path("one") / "recipe.yaml").read_text())
    in_the_way.write_text("")
    command = ["run", "tune.yaml", "--out", "runs-2", "--set"]
    assert main([*command, "jobs=3"]) == 1
    said = capsys.readouterr()
    assert "gc/model-1: epoch 1 of 1: validation" in said.out
    assert "1 of 3 jobs; the others are done, and the same command tries these again" in said.err
    assert "gc/model-2: [Errno 17] File exists" in said.err
    assert not Path("runs-2/results.json").exists()
    assert "| gc | mcc | this model |" in Path("runs-2/table.md").read_text()
    for job in ("model-1", "kmers-1"):
        assert np.array_equal(outputs(Path("runs-2"), job), outputs(Path("one"), job)), job
    in_the_way.unlink()
    assert main([*command, "jobs=1"]) == 0, "jobs is no part of what a run is"
    assert (Path("runs-2") / "table.csv").read_text() == (Path("one") / "table.csv").read_text()


def test_a_signal_stops_all_with_a_checkpoint() -> None:
    write_recipe(baselines=[], epochs=100_000)
    recipe = load(Path("tune.yaml"))
    assert isinstance(recipe, Finetuning)
    Path("run").mkdir()
    Path("run/recipe.yaml").write_text(recipe.to_yaml())
    jobs = list(all_jobs(recipe, Path("run")))

    def once_both_train() -> None:
        Nursery.until(lambda: all((job.folder / "curve.csv").is_file() for job in jobs))
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=once_both_train).start()
    with pytest.raises(Stopped) as stopped, Signals():
        side_by_side(jobs, 2, 1, lambda job: None)
    assert stopped.value.code == 128 + signal.SIGTERM
    for job in jobs:
        assert len(list(job.folder.glob("checkpoints/*.ckpt"))) > 0
        assert not job.done


@pytest.mark.parametrize(
    ("fields", "jobs", "expected"),
    [
        ({}, 40, (8, 1)),
        ({"threads": 3}, 40, (2, 3)),
        ({"threads": 16}, 40, (1, 16)),
        ({"jobs": 1}, 40, (1, None)),
        ({"jobs": 3}, 40, (3, 2)),
        ({"jobs": 9}, 40, (9, 1)),
        ({}, 2, (2, 4)),
    ],
)
def test_cores_are_shared_out(
    fields: dict[str, int], jobs: int, expected: tuple[int, int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning_pool.machine, "threads", lambda: 8)
    write_recipe(**fields)
    recipe = load(Path("tune.yaml"))
    assert isinstance(recipe, Finetuning)
    assert shares(recipe, jobs) == expected


def test_a_run_in_this_process_goes_on_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    write_recipe(baselines=["kmers"])
    run_job: Callable[..., None] = tuning_pool.run_job
    failing = {"gc/model-1"}

    def sometimes(job: object, *rest: object) -> None:
        if getattr(job, "name", "") in failing:
            raise FloatingPointError("the loss of step 1 is nan")
        run_job(job, *rest)

    monkeypatch.setattr(tuning_pool, "run_job", sometimes)
    assert main(["run", "tune.yaml"]) == 1
    assert (run_folder() / "tasks" / "gc" / "kmers-1" / PREDICTIONS).is_file()
    table = (run_folder() / "table.md").read_text()
    assert "- gc: gc/model-1 failed: the loss of step 1 is nan" in table
    (row,) = [line.split(" | ") for line in table.splitlines() if "| this model |" in line]
    assert " to " in row[4], "the seed that is left has an interval"
    failing.clear()
    assert main(["run", "tune.yaml"]) == 0
    assert len(results()["tasks"]["gc"]["arms"]["model"]["seeds"]) == 2
