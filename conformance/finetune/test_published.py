"""Published scores beside those of a run: comparable where protocol, rows, metric and training are theirs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from caduceus.conformance.finetune.small_runs import SPEC, results, run_folder, write_recipe
from caduceus.evaluate.catalogue import suite
from caduceus.recipes.__main__ import main
from caduceus.recipes.finetuning import Finetuning
from caduceus.recipes.tuning_published import published

AUTHORS: dict[str, dict[str, Any]] = {
    "genomic_benchmarks": {"epochs": 10, "seeds": [1, 2, 3, 4, 5]},
    "nucleotide_transformer": {"epochs": 20, "seeds": list(range(1, 11))},
    "gue": {},
}


def compared(name: str, task: str, protocol: str, test: int | None = None, **fields: Any) -> dict[str, Any]:
    """On all rows of the suite, or so many of test, and trained as the authors do, but for ``fields``."""
    told = {"task": "finetune", "suite": name, "folder": "here", "only": [task], "model": SPEC, "protocol": protocol}
    recipe = Finetuning.model_validate({"name": "x", "tasks": {}, **told, **AUTHORS[name], **fields})
    counts = suite(name).task(task).rows
    train = counts.get("train", 1)
    known = counts.get("test", counts.get("train and test", train + 1) - train)
    data: Any = SimpleNamespace(train=range(train), valid=(), test=range(known if test is None else test))
    return published(recipe, task, data)


@pytest.mark.parametrize(
    ("name", "task", "protocol", "against"),
    [
        ("nucleotide_transformer", "H3", "official", None),
        ("nucleotide_transformer", "H3", "sound", "protocol sound: the published scores are means over seeds"),
        ("genomic_benchmarks", "human_enhancers_cohn", "official", None),
        ("gue", "tf_2", "sound", None),
        ("gue", "tf_2", "official", "protocol official: the published scores are each over the whole test split"),
    ],
)
def test_the_protocol_decides(name: str, task: str, protocol: str, against: str | None) -> None:
    found = compared(name, task, protocol)
    reason = found["not_comparable"]
    assert reason is None if against is None else reason.startswith(against)
    assert found["beside"] == ("score" if protocol == "sound" or name == "gue" else "averaged_over_batches")


@pytest.mark.parametrize(
    ("fields", "against"),
    [
        ({"epochs": 1}, "epochs 1, theirs 20"),
        ({"tasks": {"H3": {"epochs": 2}}}, "epochs 2, theirs 20"),
        ({"seeds": [7, 8]}, "seeds 7, 8, theirs 1, 2, 3, 4, 5, 6, 7, 8, 9, 10"),
        (
            {"grid": None, "batch": 8},
            "lr 0.001, theirs the best of 0.001, 0.002; batch 8, theirs the best of 128, 512",
        ),
        ({"grid": {"lr": [1e-3, 2e-3], "batch": [128]}}, "batch 128, theirs the best of 128, 512"),
    ],
)
def test_what_the_authors_train_otherwise_is_said(fields: dict[str, Any], against: str) -> None:
    found = compared("nucleotide_transformer", "H3", "official", **fields)
    assert found["not_comparable"] == f"trained unlike the published models: {against}"


def test_other_seeds_and_epochs_are_no_matter_where_the_authors_of_a_score_are_not_those_of_the_pipeline() -> None:
    assert compared("gue", "tf_2", "sound", epochs=2, seeds=[7])["not_comparable"] is None


def test_of_a_test_split_that_the_catalogue_does_not_know_it_is_said() -> None:
    found = compared("nucleotide_transformer", "H3", "official", test=3)
    assert found["not_comparable"] is None
    assert found["not_verified"] == (
        "3 rows are tested, and how many the suite's test split has is not in the catalogue"
    )
    for name, task, protocol in (("genomic_benchmarks", "human_enhancers_cohn", "official"), ("gue", "tf_2", "sound")):
        assert compared(name, task, protocol)["not_verified"] is None


def test_cut_rows_cut_sequences_other_metrics_and_classes_are_not_comparable() -> None:
    def given(**fields: Any) -> str | None:
        reason: str | None = compared("gue", "tf_2", "sound", tasks={"tf_2": fields})["not_comparable"]
        return reason

    for task, test in (("tf_2", 10), ("EMP_H3", 3), ("EMP_H3K9ac", 3)):
        reason = compared("gue", task, "sound", test=test)["not_comparable"]
        train, whole = (suite("gue").task(task).rows[part] for part in ("train", "test"))
        there = f"the suite has {train:,} to train on, {whole:,} to test on"
        assert reason == f"other rows: {train:,} to train and {test} to test on; {there}"
    assert given(max_length=20) == "sequences are cut to 20 bases, the suite's to 101"
    assert given(metric="auroc") == "another metric, auroc for mcc"
    assert given(classes=["poor", "rich"]) == "other classes, poor, rich for 0, 1"
    assert given() is None


@pytest.mark.usefixtures("place")
def test_a_run_marks_published_scores_and_its_resolved_recipe_is_a_recipe() -> None:
    place = Path("gue/tf_2")
    place.mkdir(parents=True)
    for split, source in (("train", "train.csv"), ("dev", "test.csv"), ("test", "test.csv")):
        (place / f"{split}.csv").write_text(Path(source).read_text().replace("y\n", "label\n"))
    told = {"tf_2": {"classes": ["poor", "rich"]}}
    write_recipe(suite="gue", folder="gue", only=["tf_2"], tasks=told, baselines=["kmers"], seeds=[1])
    assert main(["run", "tune.yaml"]) == 0
    found = results()["tasks"]["tf_2"]
    assert found["metric"] == "mcc"
    assert found["published"]["scores"] == {"DNABERT-2 117M": [0.665]}
    assert found["published"]["not_comparable"].startswith("other rows: 60 to train and 31 to test on")
    text = (run_folder() / "table.md").read_text()
    assert "| tf_2 | mcc | DNABERT-2 117M (published, not comparable) | 0.6650 |" in text
    assert "- tf_2: the published scores are not comparable: other rows: 60 to train" in text
    assert main(["run", str(run_folder() / "recipe.yaml")]) == 0
