"""Two tasks on the same rows: by how much the model is better on the first, and pairs that cannot be compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from caduceus.conformance.finetune.small_runs import results, run_folder, write_recipe
from caduceus.recipes.__main__ import main

pytestmark = pytest.mark.usefixtures("place")
BOTH: dict[str, Any] = {"train": "train.csv", "test": "test.csv", "label": "y"}
PAIR = [["first", "second"]]


def with_column(name: str, cell: str, **told: str) -> None:
    """Another column in both tables: ``cell`` of each row, formatted with its class and the length of its sequence."""
    for split in ("train", "test"):
        path = Path(f"{split}.csv")
        header, *lines = path.read_text().splitlines()
        rows = [line.split(",") for line in lines]
        cells = [told.get(row[1], cell).format(length=len(row[0])) for row in rows]
        path.write_text("\n".join([f"{header},{name}", *map(",".join, zip(lines, cells, strict=True))]) + "\n")


def test_two_heads_on_the_same_rows_are_compared() -> None:
    write_recipe(tasks={"first": BOTH | {"readout": "equivariant"}, "second": BOTH}, baselines=[], contrasts=PAIR)
    assert main(["run", "tune.yaml"]) == 0
    (pair,) = results()["contrasts"]
    score = {task: found["arms"]["model"]["score"]["value"] for task, found in results()["tasks"].items()}
    assert pair["gain"]["value"] == pytest.approx(score["first"] - score["second"])
    assert pair["gain"]["low"] <= pair["gain"]["value"] <= pair["gain"]["high"]
    text = (run_folder() / "table.md").read_text()
    assert "by how much this model is better on first than on second, in MCC on the same rows: " in text


def test_of_a_loss_the_smaller_one_is_better_in_numbers_and_words() -> None:
    with_column("length", "{length}")
    number = BOTH | {"label": "length", "problem": "regression", "metric": "mae"}
    tasks = {"first": number, "second": number | {"epochs": 40}}
    write_recipe(tasks=tasks, baselines=[], contrasts=PAIR, seeds=[1])
    assert main(["run", "tune.yaml"]) == 0
    error = {task: found["arms"]["model"]["score"]["value"] for task, found in results()["tasks"].items()}
    (pair,) = results()["contrasts"]
    assert pair["gain"]["value"] == pytest.approx(error["second"] - error["first"])
    told = f"better on first than on second, in MAE on the same rows: {pair['gain']['value']:.4f} ("
    assert told in (run_folder() / "table.md").read_text()


def test_pairs_that_are_not_alike_are_refused_before_training(capsys: pytest.CaptureFixture[str]) -> None:
    with_column("other", "poor", poor="rich")
    with_column("named", "few", rich="many")
    for second, message in (
        ({"test": "train.csv"}, "which are tested on different rows, expected the same; give both the same test split"),
        ({"label": "other"}, "contrasts compare first and second, which have different labels for the same test"),
        ({"label": "named"}, "which have different classes, poor, rich and few, many, expected the same"),
    ):
        write_recipe(tasks={"first": BOTH, "second": BOTH | second}, contrasts=PAIR)
        assert main(["check", "tune.yaml"]) == 2
        assert message in capsys.readouterr().err
    write_recipe(tasks={"first": BOTH}, contrasts=[["first", "third"]])
    assert main(["run", "tune.yaml"]) == 2
    assert "contrasts name 'third', expected one of first" in capsys.readouterr().err
    assert not Path("runs").exists()


def test_targets_of_other_names_and_the_same_numbers_are_compared() -> None:
    with_column("length", "{length}")
    with_column("bases", "{length}")
    number = BOTH | {"problem": "regression"}
    write_recipe(tasks={"first": number | {"label": "length"}, "second": number | {"label": "bases"}}, contrasts=PAIR)
    assert main(["check", "tune.yaml"]) == 0
