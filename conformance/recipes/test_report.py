"""The report of a run that still goes on, and of genomes with repeats."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from caduceus.conformance.data.fasta_files import fasta_text, random_sequence, write_fasta
from caduceus.conformance.recipes.conftest import Recipes
from caduceus.recipes import pretrain
from caduceus.recipes import report as report_module
from caduceus.recipes.find import find
from caduceus.recipes.load import load
from caduceus.recipes.record import Record
from caduceus.recipes.report import refresh, report
from caduceus.recipes.run_dir import RunFolder
from caduceus.train.metrics import COLUMNS, MetricsFile

BITS = re.compile(r"<th>([^<]+)</th><td class=num>([\d.]+)</td>")


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take longer than the runs."""
    monkeypatch.setattr(report_module, "find_spec", lambda name: None)


@pytest.fixture
def going_on(no_pictures: None, recipes: Recipes, folder: Path) -> RunFolder:
    """A run of six steps with a validation after the third, as it is when the last has not begun."""
    assert recipes("run", "tiny", "--out", "run") == 0
    (folder / "run" / "results.json").unlink()
    MetricsFile(folder / "run" / "metrics.csv").cut_back(5)
    return RunFolder(load(find("tiny")), folder / "run")


def test_it_is_made_anew_at_each_validation_but_the_last(
    recipes: Recipes, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = []

    def note(folder: RunFolder, results: Any = None) -> None:
        refresh(folder, results)
        pages.append((folder.path / "report.html").read_text())

    monkeypatch.setattr(pretrain, "refresh", note)
    assert recipes("run", "tiny", "--set", "validation.every=0.3333", "--out", "run") == 0
    assert len(pages) == 2
    for page, step in zip(pages, (2, 4), strict=True):
        assert f"The run goes on: step {step} of 6" in page
        assert 'http-equiv="refresh"' in page
    assert [page.count("<svg") for page in pages] == [2, 3]  # by kind once there are two validations
    final = (folder / "run" / "report.html").read_text()
    assert "The run goes on" not in final
    assert "http-equiv" not in final


def test_a_run_that_goes_on_shows_its_latest_validation_beside_what_it_is_compared_with(going_on: RunFolder) -> None:
    page = report(Record.of(going_on))
    bits = {name: float(value) for name, value in BITS.findall(page)}
    baselines = json.loads((going_on.path / "baselines.json").read_text())["valid"]
    latest = MetricsFile(going_on.path / "metrics.csv").rows()[2]
    assert bits == {
        "this model": pytest.approx(latest["valid/bits_per_base"], abs=1e-4),
        "this model, untrained": pytest.approx(baselines["untrained"]["all"], abs=1e-4),
        "counting: 2 bases before": pytest.approx(baselines["one_sided"]["2"]["all"], abs=1e-4),
        "counting: 1 bases on each side": pytest.approx(baselines["two_sided"]["1"]["all"], abs=1e-4),
        "uniform": 2.0,
    }
    assert "step 5 of 6" in page
    assert "(valid split)" in page
    assert "What it predicts" not in page
    for kind in "ACGT":
        assert f"<td>{latest[f'valid/bits_{kind}']:.3f}</td>" in page
    assert "outside of repeats" not in page


def test_a_run_without_a_validation_yet_has_a_report(going_on: RunFolder) -> None:
    for step in (2, 0):
        MetricsFile(going_on.path / "metrics.csv").cut_back(step)
        page = report(Record.of(going_on))
        assert "There has been no validation yet" in page
        assert f"step {step} of 6" in page


def test_the_share_of_waiting_is_shown_where_it_was_measured(going_on: RunFolder) -> None:
    record = Record.of(going_on)
    rows = [{**row, "seconds": 2.0 * i, "train/waiting": 0.02 * i} for i, row in enumerate(record.rows, 1)]
    measured = Record(record.recipe, record.environment, rows, record.baselines, None)
    assert measured.waiting == pytest.approx(0.06)
    assert "A step waits for data 6.0 % of its time" in report(measured)
    assert measured.tokens_per_second == pytest.approx(50)
    without = [{**row, "train/waiting": None} for row in rows]
    assert Record(record.recipe, record.environment, without, record.baselines, None).waiting is None


def test_repeats_are_scored_apart_where_the_genome_marks_them(
    no_pictures: None, recipes: Recipes, folder: Path
) -> None:
    sequence = random_sequence(3600, 7, "AACGTTacgt")
    write_fasta(folder, fasta_text({"chr1": sequence}))
    assert recipes("run", "tiny", "--set", "data.repeat_weight=0.5", "--out", "run") == 0
    kinds = json.loads((folder / "run" / "results.json").read_text())["by_kind"]["model"]
    assert min(kinds["unique"], kinds["repeat"]) < kinds["all"] < max(kinds["unique"], kinds["repeat"])
    page = (folder / "run" / "report.html").read_text()
    assert "Repeats are lower case in the genome file" in page
    assert "<th>in repeats</th>" in page
    assert f"<td>{kinds['repeat']:.3f}</td>" in page


def test_a_report_that_cannot_be_drawn_does_not_end_the_run(
    no_pictures: None, recipes: Recipes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(folder: RunFolder) -> None:
        raise ValueError("no ink")

    monkeypatch.setattr(pretrain, "refresh", broken)
    assert recipes("run", "tiny") == 0
    assert "the report could not be refreshed (ValueError: no ink); training goes on" in capsys.readouterr().out


def test_baselines_are_computed_once(recipes: Recipes, going_on: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    from caduceus.recipes import baselines

    before = (going_on.path / "baselines.json").read_bytes()
    monkeypatch.setattr(baselines, "context_models", lambda *_, **__: pytest.fail("counted again"))
    assert recipes("run", "tiny", "--out", "run") == 0
    assert (going_on.path / "baselines.json").read_bytes() == before


def test_every_kind_has_a_column() -> None:
    assert {"valid/bits_unique", "valid/bits_repeat", *(f"valid/bits_{base}" for base in "ACGT")} < set(COLUMNS)


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("A" * 25, "the valid windows hold no masked base; give longer intervals"),
        ("A" + "N" * 24, "no base has 2 bases before it and 0 after it; give longer sequences"),
    ],
)
def test_held_out_sequence_that_tells_nothing_is_refused_before_training(
    recipes: Recipes, folder: Path, capsys: pytest.CaptureFixture[str], start: str, said: str
) -> None:
    (folder / "genome.fa").write_text(fasta_text({"chr1": start + random_sequence(3575, 7)}))
    (folder / "splits.bed").write_text("chr1\t1000\t3000\ttrain\nchr1\t0\t25\tvalid\nchr1\t3000\t3500\ttest\n")
    assert recipes("run", "tiny", "--set", "data.mask=0.001") == 2
    assert said in capsys.readouterr().err
    assert not list((folder / "runs").rglob("metrics.csv"))
