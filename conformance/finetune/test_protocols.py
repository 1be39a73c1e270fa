"""What the official protocol does otherwise: a validation split a seed, a grid, scores averaged over batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from caduceus.conformance.finetune.small_runs import SPEC, results, run_folder, write_recipe
from caduceus.data.holding_out import hold_out
from caduceus.evaluate.cnn import CNN
from caduceus.evaluate.metrics import Predictions, averaged_over_batches, score
from caduceus.recipes import tuning_job
from caduceus.recipes.__main__ import main
from caduceus.recipes.finetuning import Finetuning
from caduceus.recipes.load import load
from caduceus.recipes.tuning_data import read_task
from caduceus.recipes.tuning_job import Outcome, all_jobs
from caduceus.train.tune import Tuned, plan_rows, predict

pytestmark = pytest.mark.usefixtures("place")


def loaded(**fields: Any) -> Finetuning:
    write_recipe(**fields)
    recipe = load(Path("tune.yaml"))
    assert isinstance(recipe, Finetuning)
    return recipe


def test_each_seed_of_the_authors_validates_on_a_part_of_its_own() -> None:
    recipe = loaded()
    for protocol, same in (("sound", True), ("official", False)):
        data = read_task(recipe.tasks["gc"], protocol, recipe.seed)  # type: ignore[arg-type]
        parts = [data.for_seed(seed).valid.sequences for seed in (1, 2)]
        assert (parts[0] == parts[1]) == same
    assert data.whole is not None
    assert data.for_seed(2).valid.sequences == hold_out(data.whole, 2, way="torch")[1].sequences
    assert len(data.for_seed(2).train) + len(parts[1]) == len(data.whole) == 60


def test_the_grid_of_the_authors_is_there_under_their_protocol(capsys: pytest.CaptureFixture[str]) -> None:
    grids = {}
    for name, protocol in [
        ("genomic_benchmarks", "official"),
        ("nucleotide_transformer", "official"),
        ("gue", "official"),
    ]:
        assert main(["show", name, "--resolved", "--set", f"protocol={protocol}"]) == 0
        grids[name] = yaml.safe_load(capsys.readouterr().out)["grid"]
    assert grids == {
        "genomic_benchmarks": {"lr": [0.001, 0.002], "batch": [128, 256]},
        "nucleotide_transformer": {"lr": [0.001, 0.002], "batch": [128, 512]},
        "gue": None,
    }
    for options in (["protocol=sound"], ["protocol=official", "grid=null"]):
        told = [word for option in options for word in ("--set", option)]
        assert main(["show", "genomic_benchmarks", "--resolved", *told]) == 0
        assert yaml.safe_load(capsys.readouterr().out)["grid"] is None


def test_of_a_grid_the_pair_that_validates_best_over_the_seeds_counts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Test scores and the order in which pairs are tried say another pair."""
    valid = {(0.1, 5): (0.2, 0.3), (0.1, 10): (0.9, 0.1), (0.2, 5): (0.4, 0.4), (0.2, 10): (0.0, 0.99)}
    best = (0.1, 10)

    def trained(job: Any, data: Any, base: Any, signals: Any) -> Outcome:
        truth = data.test.labels
        if job.arm == "kmers":
            return Outcome(np.eye(2)[1 - truth], None, 0, 0.0)
        right = np.where(np.arange(len(truth)) < 20, truth, 1 - truth) if tuple(job.cell) == best else truth
        return Outcome(np.eye(2)[right], valid[tuple(job.cell)][job.seed - 1], 1, 1.0)

    monkeypatch.setattr(tuning_job, "_trained", trained)
    write_recipe(grid={"lr": [0.1, 0.2], "batch": [5, 10]}, baselines=["kmers"], protocol="official")
    assert main(["check", "tune.yaml"]) == 0
    said = capsys.readouterr().out
    assert "jobs   9: 8 x model, 1 x kmers; seeds 1, 2" in said
    assert "each seed of the model tries 4 pairs: lr 0.1, 0.2 x batch 5, 10" in said
    assert main(["run", "tune.yaml"]) == 0
    held = results()["tasks"]["gc"]["arms"]["model"]
    assert held["chosen"] == {"lr": 0.1, "batch": 10}
    assert [round(tried["valid"], 3) for tried in held["grid"]] == [0.25, 0.5, 0.4, 0.495]
    test = read_task(load(Path("tune.yaml")).tasks["gc"], "official", 0).test  # type: ignore[attr-defined]
    right = np.where(np.arange(31) < 20, test.labels, 1 - test.labels)
    said_of_test = Predictions(test.labels, np.eye(2)[right], test.problem)
    assert held["score"]["value"] == pytest.approx(score("mcc", said_of_test))
    assert held["averaged_over_batches"] == pytest.approx(averaged_over_batches("mcc", said_of_test, 10))
    assert "lr 0.1 and batch 10 validate best, of 4 tried" in (run_folder() / "table.md").read_text()


def test_jobs_are_told_their_pair_and_the_cnn_of_the_authors_its_own() -> None:
    recipe = loaded(grid={"lr": [0.1], "batch": [4]}, protocol="official", epochs=3, tasks={
        "gc": {"train": "train.csv", "test": "test.csv", "label": "y", "epochs": 7},
    })  # fmt: skip
    told = {job.arm: job.settings() for job in all_jobs(recipe, Path("run"))}
    assert [(s.optimiser.lr, s.batch, s.epochs) for s in told.values()] == [(0.1, 4, 7), (0.001, 64, 10), (0.02, 10, 7)]
    names = [job.name for job in all_jobs(recipe, Path("run"))]
    assert names == ["gc/model-1-lr0.1-batch4", "gc/model-2-lr0.1-batch4", "gc/cnn-1", "gc/cnn-2", "gc/kmers-1"]


def test_the_cnn_reads_a_batch_at_once() -> None:
    """Its batch normalisation would be over a micro-batch."""
    for protocol, per_device, batch in (("sound", None, 512), ("sound", 8, 512), ("official", None, 64)):
        recipe = loaded(protocol=protocol, baselines=["cnn"], batch=512, per_device=per_device, grid=None)
        for job in all_jobs(recipe, Path("run")):
            plan = plan_rows(job.settings(), length=1024)
            expected = (batch, 1) if job.arm == "cnn" else (per_device or 16, 512 // (per_device or 16))
            assert (plan.per_device, plan.accumulate) == expected


@pytest.mark.parametrize(
    ("protocol", "conjoining", "pairs"),
    [
        ("official", "test", [False, True, True]),
        ("official", "train", [True, True, True]),
        ("official", "augment", [False, False, False]),
        ("sound", "test", [False, False, False]),
    ],
)
def test_the_authors_read_pairs_where_strands_are_averaged(
    monkeypatch: pytest.MonkeyPatch, protocol: str, conjoining: str, pairs: list[bool]
) -> None:
    shapes: list[bool] = []

    def tuned(model: Any, read: Any, train: Any, valid: Any, *others: Any) -> Tuned:
        shapes.extend(samples[0]["input_ids"].ndim == 2 for samples in (train, valid))
        return Tuned(1, 0.5, 0.0, ())

    def predicted(model: Any, read: Any, test: Any) -> np.ndarray:
        shapes.append(test[0]["input_ids"].ndim == 2)
        return predict(model, read, test)

    monkeypatch.setattr(tuning_job, "tune", tuned)
    monkeypatch.setattr(tuning_job, "predict", predicted)
    spec = {**SPEC, "equivariance": "ph"}
    write_recipe(protocol=protocol, conjoining=conjoining, model=spec, baselines=[], seeds=[1], grid=None)
    assert main(["run", "tune.yaml"]) == 0
    assert shapes == pairs


def test_sequences_of_two_bases_train_every_arm() -> None:
    rng = np.random.default_rng(0)
    for name in ("train", "test"):
        rows = [f"{''.join(rng.choice(list('ACGT'), 2))},{'ab'[i % 2]}" for i in range(30)]
        Path(f"{name}.csv").write_text("\n".join(["seq,y", *rows]) + "\n")
    write_recipe(seeds=[1])
    assert main(["check", "tune.yaml"]) == 0
    assert main(["run", "tune.yaml"]) == 0
    assert list(results()["tasks"]["gc"]["arms"]) == ["model", "cnn", "kmers"]


def test_check_reads_a_row_with_the_cnn_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(self: Any, *given: Any) -> Any:
        raise AssertionError("the CNN was asked")

    monkeypatch.setattr(CNN, "forward", broken)
    write_recipe(baselines=["kmers"])
    assert main(["check", "tune.yaml"]) == 0
    write_recipe(baselines=["cnn"])
    assert main(["check", "tune.yaml"]) == 1
    assert "the CNN was asked" in capsys.readouterr().err


def test_under_sound_the_cnn_gets_no_fewer_epochs_than_its_authors_give_it() -> None:
    for epochs, expected in ((3, 10), (12, 12)):
        recipe = loaded(epochs=epochs, baselines=["cnn"])
        told = {job.arm: job.settings().epochs for job in all_jobs(recipe, Path("run"))}
        assert told == {"model": epochs, "cnn": expected}


def test_the_authors_schedule_counts_rows_that_are_not_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    def noted(*arguments: Any) -> Any:
        given.append((len(arguments[2]), arguments[8]))
        raise OSError("enough")

    monkeypatch.setattr(tuning_job, "tune", noted)
    place = Path("suite/human_enhancers_cohn")
    for split in ("train", "test"):
        for name in ("negative", "positive"):
            (place / split / name).mkdir(parents=True)
            for i in range(20 if split == "train" else 6):
                (place / split / name / f"{i}.txt").write_text("ACGTACGTAC")
    told = {"suite": "genomic_benchmarks", "folder": "suite", "only": ["human_enhancers_cohn"], "tasks": {}}
    for protocol in ("official", "sound"):
        write_recipe(**told, protocol=protocol, baselines=[], seeds=[1], grid=None)
        assert main(["run", "tune.yaml"]) == 1
    assert given == [(36, 52), (36, None)], "40 rows of training and 12 of test; a tenth validates"
