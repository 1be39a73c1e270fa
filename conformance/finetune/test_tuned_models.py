"""What is tuned: asserted before, kept after, and the same model when it is loaded again."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caduceus
from caduceus.conformance.finetune.small_runs import run_folder, write_model, write_recipe
from caduceus.recipes import tuning_job, tuning_model, tuning_report
from caduceus.recipes.__main__ import main

pytestmark = pytest.mark.usefixtures("place")


def test_low_rank_adapters_are_tuned_merged_and_kept(capsys: pytest.CaptureFixture[str]) -> None:
    before = write_model().weights()
    write_recipe(model="trained", tuned="lora", baselines=[], seeds=[1])
    assert main(["run", "tune.yaml"]) == 0
    assert "adapters: every one gets a gradient" in capsys.readouterr().out
    job = run_folder() / "tasks" / "gc" / "model-1"
    tuned = caduceus.load_pretrained(job / "model", backend="torch")
    changed = {name for name, value in tuned.weights().items() if not np.array_equal(value, before.get(name))}
    assert {name.split(".")[-2] for name in changed if name.startswith("mixers")} == {
        *("in_proj", "x_proj", "dt_proj", "out_proj")
    }
    _says_what_the_run_says(tuned, job)


def test_the_tuned_model_says_what_the_run_says() -> None:
    write_recipe(baselines=[], seeds=[1])
    assert main(["run", "tune.yaml"]) == 0
    job = run_folder() / "tasks" / "gc" / "model-1"
    _says_what_the_run_says(caduceus.load_pretrained(job / "model", backend="torch"), job)
    assert json.loads((job / "outputs.json").read_text())["classes"] == ["poor", "rich"]
    assert not (job / "checkpoints").exists()


def _says_what_the_run_says(model: Any, job: Path) -> None:
    with Path("test.csv").open() as file:
        sequences = [row["seq"] for row in csv.DictReader(file)]
    ids, mask = caduceus.encode(sequences)
    probabilities = model(ids, mask).softmax(1).detach().numpy()
    with np.load(job / "predictions.npz") as held:
        assert np.allclose(probabilities, held["outputs"], atol=1e-5)


def test_a_model_that_breaks_its_word_is_not_tuned(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    built = tuning_model.finetuning_model

    def lopsided(*given: Any, **options: Any) -> Any:
        model = built(*given, **options)
        forward = model.head.forward
        model.head.forward = lambda x, mask=None: forward(x, mask) + x[:, 0, :1]
        return model

    monkeypatch.setattr(tuning_model, "finetuning_model", lopsided)
    write_recipe()
    for command in ("check", "run"):
        assert main([command, "tune.yaml"]) == 1
        assert "a mask is not obeyed" in capsys.readouterr().err
    assert not Path("runs").exists()


def test_a_tuned_regression_gives_numbers_that_its_scale_turns_into_the_targets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tuning_report, "find_spec", lambda name: object())
    for name in ("train.csv", "test.csv"):
        lines = Path(name).read_text().splitlines()[1:]
        rows = [f"{text},{100 + 50 * sum(base in 'GC' for base in text) / len(text)}" for text, _ in map(_split, lines)]
        Path(name).write_text("seq,y\n" + "\n".join(rows) + "\n")
    task = {"train": "train.csv", "test": "test.csv", "label": "y", "problem": "regression", "metric": "mae"}
    write_recipe(tasks={"gc": task}, baselines=["kmers"], seeds=[1])
    assert main(["run", "tune.yaml"]) == 0
    job = run_folder() / "tasks" / "gc" / "model-1"
    told = json.loads((job / "outputs.json").read_text())
    tuned = caduceus.load_pretrained(job / "model", backend="torch")
    with Path("test.csv").open() as file:
        ids, mask = caduceus.encode([row["seq"] for row in csv.DictReader(file)])
    numbers = tuned(ids, mask).detach().numpy() * told["deviation"] + told["mean"]
    with np.load(job / "predictions.npz") as held:
        assert np.allclose(numbers, held["outputs"], atol=1e-3)
    assert 110 < numbers.mean() < 140
    arms = json.loads((run_folder() / "results.json").read_text())["tasks"]["gc"]["arms"]
    gain = arms["kmers"]["score"]["value"] - arms["model"]["score"]["value"]
    assert arms["kmers"]["gain"]["value"] == pytest.approx(gain), "of an error less is better"
    page = (run_folder() / "report.html").read_text()
    assert "Predicted against true numbers" in page
    assert "validation MAE" in page


def _split(line: str) -> list[str]:
    return line.split(",")


def test_the_untrained_network_beside_a_probe_is_probed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    write_model()
    trained = {}
    tune = tuning_job.tune

    def noted(model: Any, *rest: Any) -> Any:
        trained[rest[4].name] = [name for name, p in model.named_parameters() if p.requires_grad]
        return tune(model, *rest)

    monkeypatch.setattr(tuning_job, "tune", noted)
    write_recipe(model="trained", tuned="probe", baselines=["untrained"], seeds=[1])
    assert main(["run", "tune.yaml"]) == 0
    assert trained["untrained-1"] == trained["model-1"]
    assert all(name.startswith("head") for name in trained["model-1"])
