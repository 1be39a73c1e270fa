"""`run finetune`: a user's tables go in; scores with intervals beside baselines come out."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from caduceus.conformance.finetune.small_runs import results, run_folder, write_model, write_recipe
from caduceus.recipes import tuning_job
from caduceus.recipes.__main__ import main

FILES = {"train": "train.csv", "test": "test.csv"}


@pytest.fixture(autouse=True)
def _in(place: Path) -> None:
    """Every test runs there."""


def test_a_run_gives_scores_gains_and_tables(capsys: pytest.CaptureFixture[str]) -> None:
    write_model()
    write_recipe(model="trained")
    assert main(["run", "tune.yaml"]) == 0
    out = capsys.readouterr().out
    assert "1 of 31 test sequences are in training or validation too, 0 more as their reverse complement" in out
    found = results()["tasks"]["gc"]
    assert found["rows"] == {"train": 54, "valid": 6, "test": 31}
    assert found["repeats"]["test"] == {"exact": 1, "reverse": 0, "of": 31}
    assert list(found["arms"]) == ["model", "untrained", "cnn", "kmers"]
    assert [len(arm["seeds"]) for arm in found["arms"].values()] == [2, 2, 2, 1]
    assert found["arms"]["kmers"]["score"]["value"] > 0.5
    for arm in found["arms"].values():
        assert arm["score"]["low"] <= arm["score"]["value"] <= arm["score"]["high"]
    gain = found["arms"]["cnn"]["gain"]["value"]
    assert gain == pytest.approx(found["arms"]["model"]["score"]["value"] - found["arms"]["cnn"]["score"]["value"])
    run = run_folder()
    with (run / "table.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [row["arm"] for row in table] == ["this model", "the same network, untrained", "CNN", "5-mer ridge"]
    assert float(table[3]["score"]) == pytest.approx(found["arms"]["kmers"]["score"]["value"], abs=1e-4)
    assert f"| gc | mcc | 5-mer ridge | {table[3]['score']} |" in (run / "table.md").read_text()
    assert len(json.loads((run / "environment.json").read_text())["data"]["gc.train"]["sha256"]) == 64


def test_what_was_done_is_not_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    write_recipe(baselines=["kmers"])
    calls = []
    tune = tuning_job.tune

    def failing(*arguments: Any) -> Any:
        calls.append(arguments[5])
        if len(calls) == 2:
            raise OSError("no space left")
        return tune(*arguments)

    monkeypatch.setattr(tuning_job, "tune", failing)
    assert main(["run", "tune.yaml"]) == 1
    assert main(["run", "tune.yaml"]) == 0
    assert [place.name for place in calls] == ["model-1", "model-2", "model-2"]
    assert list(results()["tasks"]["gc"]["arms"]) == ["model", "kmers"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tasks": {"gc": {"train": "none.csv", "test": "test.csv"}}}, "no file none.csv, neither from here nor"),
        ({"tasks": {"gc": {"train": "train.csv", "test": "test.csv"}}}, "has no column 'label' or"),
        ({"tuned": "lora"}, "tuned is 'lora', which is for a trained model"),
        ({"model": "nowhere"}, "model is 'nowhere', neither the folder of a trained model nor the name of a network"),
        ({"model": "caduceus-ps-1k-d25"}, "did you mean 'caduceus-ps-1k-d256'?"),
        ({"seeds": [1, 1]}, "expected each once"),
        ({"per_device": 3}, "per_device is 3, expected a divisor of batch, 10"),
        (
            {"tasks": {"gc": FILES | {"problem": "regression", "metric": "accuracy"}}},
            "tasks.gc: metric is 'accuracy', expected one of mae, r2, pearson, spearman for regression",
        ),
        (
            {"tasks": {"gc": FILES | {"metric": "r2"}}},
            "expected one of accuracy, mcc, f1, macro_f1, auroc, auprc for single_label_classification",
        ),
    ],
)
def test_bad_input_is_refused_before_any_work(
    fields: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_recipe(**fields)
    assert main(["run", "tune.yaml"]) == 2
    assert message in capsys.readouterr().err
    assert not Path("runs").exists()


@pytest.mark.parametrize("protocol", ["sound", "official"])
def test_check_reads_the_data_and_writes_nothing(protocol: str, capsys: pytest.CaptureFixture[str]) -> None:
    write_recipe(protocol=protocol)
    assert main(["check", "tune.yaml"]) == 0
    assert "jobs   5: 2 x model, 2 x cnn, 1 x kmers; seeds 1, 2" in capsys.readouterr().out
    assert not Path("runs").exists()


@pytest.mark.parametrize(("name", "tasks"), [("genomic_benchmarks", 8), ("nucleotide_transformer", 18), ("gue", 28)])
def test_a_missing_suite_says_what_to_get(name: str, tasks: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", name, "--resolved"]) == 0
    resolved = yaml.safe_load(capsys.readouterr().out)
    assert len(resolved["tasks"]) == tasks
    readouts = {
        protocol: {task["readout"] for task in _resolved(name, protocol, capsys)["tasks"].values()}
        for protocol in ("sound", "official")
    }
    assert readouts == {"sound": {"invariant", "equivariant"}, "official": {"invariant"}}
    assert main(["check", name]) == 2
    err = capsys.readouterr().err
    assert "Download it: http" in err or "GUE.zip" in err
    assert f"Put it there: {name}" in err


def _resolved(name: str, protocol: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["show", name, "--resolved", "--set", f"protocol={protocol}"]) == 0
    found: dict[str, Any] = yaml.safe_load(capsys.readouterr().out)
    return found
