"""`run finetune`: a user's tables go in; scores with intervals beside baselines come out."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import yaml

from caduceus.conformance.finetune.small_runs import results, run_folder, write_model, write_recipe
from caduceus.evaluate.catalogue import suite
from caduceus.recipes import tuning_job
from caduceus.recipes.__main__ import main
from caduceus.recipes.tuning_results import published
from caduceus.recipes.tuning_task import TaskFiles, suite_tasks


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


def test_published_scores_stand_beside_ours_and_say_when_they_cannot_be_compared() -> None:
    place = Path("gue/tf_2")
    place.mkdir(parents=True)
    for split, source in (("train", "train.csv"), ("dev", "test.csv"), ("test", "test.csv")):
        (place / f"{split}.csv").write_text(Path(source).read_text().replace("y\n", "label\n"))
    write_recipe(suite="gue", folder="gue", only=["tf_2"], tasks={}, baselines=["kmers"], seeds=[1])
    assert main(["run", "tune.yaml"]) == 0
    found = results()["tasks"]["tf_2"]
    assert found["metric"] == "mcc"
    assert found["published"]["scores"] == {"DNABERT-2 117M": [0.665]}
    assert found["published"]["not_comparable"].startswith("other rows: 60 to train and 31 to test on")
    run = run_folder()
    assert "| tf_2 | mcc | DNABERT-2 117M (published, not comparable) | 0.6650 |" in (run / "table.md").read_text()
    assert main(["run", str(run / "recipe.yaml")]) == 0, "the resolved recipe is a recipe"


@pytest.mark.parametrize(
    ("name", "task", "protocol", "against"),
    [
        ("nucleotide_transformer", "H3", "official", None),
        ("nucleotide_transformer", "H3", "sound", "protocol sound: the published scores are"),
        ("genomic_benchmarks", "human_enhancers_cohn", "official", None),
        ("gue", "tf_2", "sound", None),
    ],
)
def test_on_the_rows_of_the_suite_the_protocol_and_the_metric_decide(
    name: str, task: str, protocol: Literal["official", "sound"], against: str | None
) -> None:
    files = TaskFiles.model_validate(suite_tasks(name, "folder", [task], {}, protocol, {})[task])
    counts = suite(name).task(task).rows
    train = counts.get("train", 1)
    test = counts.get("test", counts.get("train and test", train + 1) - train)
    data: Any = SimpleNamespace(train=range(train), valid=(), test=range(test))
    found = published(files, protocol, data)
    reason = found["not_comparable"]
    assert reason is None if against is None else reason.startswith(against)
    assert found["beside"] == ("averaged_over_batches" if protocol == "official" else "score")


def test_a_cut_test_split_and_cut_sequences_are_not_comparable() -> None:
    known = suite("gue").task("tf_2")
    train, test = range(known.rows["train"]), range(known.rows["test"])
    cut = TaskFiles.model_validate(
        suite_tasks("gue", "folder", ["tf_2"], {"tf_2": {"max_length": 20}}, "sound", {})["tf_2"]
    )
    whole = TaskFiles.model_validate(suite_tasks("gue", "folder", ["tf_2"], {}, "sound", {})["tf_2"])
    for files, rows, reason in (
        (whole, range(10), "other rows"),
        (cut, test, "sequences are cut to 20 bases"),
        (whole, test, None),
    ):
        data: Any = SimpleNamespace(train=train, valid=(), test=rows)
        found = published(files, "sound", data)["not_comparable"]
        assert found is None if reason is None else found.startswith(reason)


def test_two_heads_on_the_same_rows_are_compared() -> None:
    both = {"train": "train.csv", "test": "test.csv", "label": "y"}
    tasks = {"first": both | {"readout": "equivariant"}, "second": both}
    write_recipe(tasks=tasks, baselines=[], contrasts=[["first", "second"]], seeds=[1, 2])
    assert main(["run", "tune.yaml"]) == 0
    (pair,) = results()["contrasts"]
    score = {task: found["arms"]["model"]["score"]["value"] for task, found in results()["tasks"].items()}
    assert pair["gain"]["value"] == pytest.approx(score["first"] - score["second"])
    assert pair["gain"]["low"] <= pair["gain"]["value"] <= pair["gain"]["high"]
    text = (run_folder() / "table.md").read_text()
    assert "this model's MCC on first minus that on second, on the same rows: " in text


def test_heads_on_different_rows_are_refused_before_training(capsys: pytest.CaptureFixture[str]) -> None:
    both = {"train": "train.csv", "test": "test.csv", "label": "y"}
    write_recipe(tasks={"first": both, "second": both | {"test": "train.csv"}}, contrasts=[["first", "second"]])
    assert main(["run", "tune.yaml"]) == 2
    assert "contrasts compare first and second, which are tested on different rows" in capsys.readouterr().err
    write_recipe(tasks={"first": both}, contrasts=[["first", "third"]])
    assert main(["run", "tune.yaml"]) == 2
    assert "contrasts name 'third', expected one of first" in capsys.readouterr().err
