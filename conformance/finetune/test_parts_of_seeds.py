"""Under the official protocol each seed validates on a part of its own: what is told of validation is told of these."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caduceus.conformance.data.fasta_files import random_sequence
from caduceus.conformance.finetune.small_runs import marks_drawn, run_folder, write_recipe
from caduceus.data.holding_out import hold_out
from caduceus.recipes import tuning_job
from caduceus.recipes.__main__ import main
from caduceus.recipes.tuning_data import read_task
from caduceus.recipes.tuning_job import Outcome
from caduceus.recipes.tuning_task import TaskFiles

pytestmark = pytest.mark.usefixtures("place")
FILES = TaskFiles(train="train.csv", test="test.csv")


def rows(path: str, lines: list[tuple[str, str]]) -> None:
    Path(path).write_text("\n".join(["sequence,label", *(f"{s},{y}" for s, y in lines)]) + "\n")


def test_repeats_and_absent_classes_are_those_of_the_seeds() -> None:
    """Half of the sequences are there twice; one class is rare."""
    lines = [
        (random_sequence(30, i // 2 if i < 20 else i, "ACGT"), "rare" if i < 2 else "ab"[i % 4 // 2]) for i in range(40)
    ]
    rows("train.csv", lines)
    rows("test.csv", lines[:8])
    data = read_task(FILES, "official", 0, seeds=(3, 4, 5))
    expected, notes = 0, ["test: no row of class 'b'"] if not data.test.counts()["b"] else []
    for seed in (3, 4, 5):
        train, valid = hold_out(data.whole, seed, way="torch")  # type: ignore[arg-type]
        expected += sum(sequence in train.sequences for sequence in valid.sequences)
        for name, split in (("train", train), ("valid", valid)):
            if absent := ", ".join(repr(each) for each, count in split.counts().items() if not count):
                notes.append(f"{name} of seed {seed}: no row of class {absent}")
    assert data.valid_repeats == {"exact": expected, "reverse": 0, "of": 12}
    assert 0 < expected < 12
    assert [note for note in data.notes if "no row of class" in note] == notes
    assert any("of seed 5: no row of class 'rare'" in note for note in notes)
    assert f"{expected} of 12 valid sequences, of all seeds together, are in training too" in " ".join(data.notes)


def test_sequences_that_are_the_same_as_far_as_a_model_reads_them_are_repeats() -> None:
    start = random_sequence(20, 1, "ACGT")
    others = [random_sequence(30, i, "ACGT") for i in range(2, 30)]
    rows("train.csv", [(start + "AAAAACCCCC", "a"), *((each, "ab"[i % 2]) for i, each in enumerate(others))])
    rows("test.csv", [(start + "GGGGGTTTTT", "a"), (others[3], "b"), (random_sequence(30, 99, "ACGT"), "a")])
    whole = read_task(FILES, "sound", 0).repeats
    cut = read_task(FILES.model_copy(update={"max_length": 20}), "sound", 0).repeats
    assert (whole.exact.tolist(), cut.exact.tolist()) == ([False, True, False], [True, True, False])


def test_epochs_are_counted_by_those_of_the_training_not_of_the_schedule(capsys: pytest.CaptureFixture[str]) -> None:
    for split in ("train", "test"):
        for name in ("negative", "positive"):
            folder = Path("suite/human_enhancers_cohn") / split / name
            folder.mkdir(parents=True)
            for i in range(10):
                (folder / f"{i}.txt").write_text(random_sequence(20, i, "ACGT"))
    told = {"suite": "genomic_benchmarks", "folder": "suite", "only": ["human_enhancers_cohn"], "tasks": {}}
    write_recipe(**told, protocol="official", epochs=2, baselines=[], seeds=[1], grid=None, batch=4)
    assert main(["run", "tune.yaml"]) == 0
    said = capsys.readouterr().out
    assert "epoch 1 of 2: validation" in said
    assert "epoch 2 of 2: validation" in said


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every arm answers alike; a pair of lr 0.1 has no validation score with the second seed."""

    def trained(job: Any, data: Any, base: Any, signals: Any) -> Outcome:
        truth = data.test.labels
        right = np.where(np.arange(len(truth)) % (2 + job.seed) > 0, truth, 1 - truth)
        undefined = job.cell is not None and job.cell.lr == 0.1 and job.seed == 2
        return Outcome(np.eye(2)[right], None if undefined else -0.5, 1, 1.0)

    monkeypatch.setattr(tuning_job, "_trained", trained)


@pytest.mark.usefixtures("answered")
def test_a_validation_score_that_is_not_defined_is_null_and_worse_than_any() -> None:
    write_recipe(grid={"lr": [0.1, 0.2], "batch": [5]}, baselines=[])
    assert main(["run", "tune.yaml"]) == 0

    def refused(name: str) -> Any:
        raise AssertionError(f"{name} is no JSON")

    found = json.loads((run_folder() / "results.json").read_text(), parse_constant=refused)
    held = found["tasks"]["gc"]["arms"]["model"]
    assert [tried["valid"] for tried in held["grid"]] == [None, -0.5]
    assert held["chosen"] == {"lr": 0.2, "batch": 5}


@pytest.mark.usefixtures("answered")
def test_averages_over_batches_are_drawn_beside_published_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = marks_drawn(monkeypatch)
    for split in ("train", "test"):
        text = Path(f"{split}.csv").read_text().replace("poor", "0").replace("rich", "1").replace("y\n", "label\n", 1)
        Path("nt/H3").mkdir(parents=True, exist_ok=True)
        Path(f"nt/H3/{split}.csv").write_text(text)
    fields: dict[str, Any] = {"suite": "nucleotide_transformer", "folder": "nt", "only": ["H3"], "tasks": {}}
    for protocol, alike in (("official", True), ("sound", False)):
        drawn.clear()
        write_recipe(**fields, protocol=protocol, baselines=[], grid=None, name=protocol)
        assert main(["run", "tune.yaml", "--out", f"runs/{protocol}"]) == 0
        held = json.loads(Path(f"runs/{protocol}/results.json").read_text())["tasks"]["H3"]["arms"]["model"]
        mark = next(mark for mark in reversed(drawn) if mark.name == "this model")
        page = Path(f"runs/{protocol}/report.html").read_text()
        assert ("averaged over batches. Strokes: seeds" in page) == alike
        if alike:
            assert (mark.value, mark.low) == (held["averaged_over_batches"], None)
            assert mark.value == pytest.approx(sum(held["averaged_by_seed"]) / 2)
            assert mark.value != pytest.approx(held["score"]["value"])
            assert "validation splits of all seeds" in page
        else:
            assert (mark.value, mark.low) == (held["score"]["value"], held["score"]["low"])
