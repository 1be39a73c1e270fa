"""A whole run, and what it leaves behind."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import caduceus
from caduceus.conformance.recipes.conftest import Recipes
from caduceus.data import Genome, IntervalIds, Intervals, Score, context_models
from caduceus.recipes import report as report_module
from caduceus.train.optimiser import learning_rate
from caduceus.train.settings import Training


def only_run(folder: Path) -> Path:
    (found,) = (folder / "runs").iterdir()
    return found


def test_a_run_leaves_everything_that_was_promised(
    recipes: Recipes, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recipes("run", "tiny") == 0
    out, err = capsys.readouterr()
    run = only_run(folder)
    assert err == ""
    assert run.name.startswith("tiny-")
    assert len(run.name) == len("tiny-") + 8
    files = {"recipe.yaml", "environment.json", "baselines.json", "metrics.csv", "results.json", "report.html"}
    assert {path.name for path in run.iterdir()} == files | {"checkpoints", "model"}
    _check_results(json.loads((run / "results.json").read_text()), out)
    _check_metrics(run / "metrics.csv")
    environment = json.loads((run / "environment.json").read_text())
    assert {"versions", "backend", "device", "seed", "data"} <= environment.keys()
    assert len(environment["data"]["fasta"]["sha256"]) == 64
    resolved = yaml.safe_load((run / "recipe.yaml").read_text())
    assert resolved["optimiser"]["betas"] == [0.9, 0.95]
    model = caduceus.load_pretrained(run / "model")
    assert caduceus.check.equivariance_error(model) == 0.0
    assert model.spec.to_dict() == resolved["model"]


def _check_results(results: dict[str, Any], out: str) -> None:
    assert results.keys() >= {
        *("bits_per_base", "equivariance_error", "control_equivariance_error", "tokens", "seconds", "protocol")
    }
    bits = results["bits_per_base"]
    assert bits.keys() == {"model", "untrained", "uniform", "one_sided", "two_sided"}
    assert (bits["uniform"], results["protocol"], results["tokens"]) == (2.0, "sound", 600)
    assert results["equivariance_error"] == 0.0
    assert results["control_equivariance_error"] > 0.001
    assert 3.5 < bits["untrained"] < 4.5
    genome = Genome("genome.fa")
    intervals = Intervals.read("splits.bed")
    context = context_models(IntervalIds(genome, intervals.of("train")), one_sided=[2], two_sided=[1])
    test = IntervalIds(genome, intervals.of("test"))
    for side, k in (("one_sided", 2), ("two_sided", 1)):
        scored = context[side][k].score(test)
        assert bits[side] == {str(k): scored.bits_per_base}
        assert results["by_kind"][side] == {str(k): {"all": scored.bits_per_base, **scored.bits_by_kind()}}
    for name in ("model", "untrained"):
        kinds = results["by_kind"][name]
        assert kinds.keys() == {"all", *Score.KINDS}
        assert kinds["all"] == bits[name]
        assert min(kinds[base] for base in "ACGT") < bits[name] < max(kinds[base] for base in "ACGT")
        assert (kinds["unique"], kinds["repeat"]) == (pytest.approx(bits[name], rel=1e-12), None)
    for shown in (f"{bits['model']:.4f}", "counting: 1 bases on each side", "report.html", "load_pretrained"):
        assert shown in out


def _check_metrics(path: Path) -> None:
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:6] == ["step", "tokens", "lr", "train/loss", "valid/loss", "valid/bits_per_base"]
    assert [row["step"] for row in rows] == [str(step) for step in range(1, 7)]
    assert [row["tokens"] for row in rows] == [str(100 * step) for step in range(1, 7)]
    assert [bool(row["valid/loss"]) for row in rows] == [step % 3 == 0 for step in range(1, 7)]
    for step, row in enumerate(rows):
        assert float(row["lr"]) == learning_rate(step, Training(max_steps=6))
    last = rows[-1]
    assert float(last["valid/bits_per_base"]) == pytest.approx(float(last["valid/loss"]) / math.log(2), rel=1e-12)
    assert rows[0]["valid/loss"] == rows[0]["valid/bits_A"] == rows[0]["valid/equivariance_error"] == ""
    bases = [float(last[f"valid/bits_{base}"]) for base in "ACGT"]
    assert min(bases) < float(last["valid/bits_per_base"]) < max(bases)
    assert (float(last["valid/equivariance_error"]), last["valid/bits_repeat"]) == (0.0, "")


def test_a_finished_run_is_not_done_again(recipes: Recipes, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert recipes("run", "tiny", "--set", "max_steps=2") == 0
    first = capsys.readouterr().out
    run = only_run(folder)
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    assert recipes("run", "tiny", "--set", "max_steps=2") == 0
    again = capsys.readouterr().out
    assert "holds this run, finished" in again
    assert first[first.index("bits per masked") :] == again[again.index("bits per masked") :]
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_a_folder_of_another_recipe_is_refused_with_the_difference(
    recipes: Recipes, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder / "out"
    assert recipes("run", "tiny", "--set", "max_steps=1", "--out", out) == 0
    assert recipes("run", "tiny", "--set", "max_steps=2", "--out", out) == 2
    said = capsys.readouterr().err
    assert "-max_steps: 1" in said
    assert "+max_steps: 2" in said
    assert recipes("run", out / "recipe.yaml", "--out", out) == 0
    other = folder / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("")
    assert recipes("run", "tiny", "--out", other) == 2
    assert "is no run" in capsys.readouterr().err


def test_an_equivariance_failure_stops_before_any_data_is_read(
    recipes: Recipes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import caduceus.nn.model as module

    original = module.Model.forward

    def leaky(self: Any, input_ids: Any, mask: Any = None) -> torch.Tensor:
        y = original(self, input_ids, mask)
        return y + 1e-7 * torch.arange(y.shape[1])[None, :, None]

    monkeypatch.setattr(module.Model, "forward", leaky)
    monkeypatch.setattr("caduceus.data.Genome.__init__", lambda *_: pytest.fail("data was read"))
    assert recipes("run", "tiny") == 1
    assert "equivariance error is" in capsys.readouterr().err
    assert not Path("runs").exists()


def test_a_ph_model_is_evaluated_as_the_average_over_both_strands(recipes: Recipes, folder: Path) -> None:
    assert recipes("run", "tiny", "--set", "equivariance=ph", "--set", "max_steps=1") == 0
    results = json.loads((only_run(folder) / "results.json").read_text())
    assert results["equivariance_error"] == 0.0
    assert results["control_equivariance_error"] > 0.001


def test_a_model_whose_strands_meet_has_no_control_on_one_strand(recipes: Recipes, folder: Path) -> None:
    options = ["model.mixers=[{kind: bimamba}, {kind: cross_strand}]", "max_steps=1"]
    assert recipes("run", "tiny", *(word for option in options for word in ("--set", option))) == 0
    results = json.loads((only_run(folder) / "results.json").read_text())
    assert results["equivariance_error"] == 0.0
    assert results["control_equivariance_error"] is None
    assert "on one strand" not in (only_run(folder) / "report.html").read_text()


def test_a_part_that_breaks_its_contract_is_refused(
    recipes: Recipes, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixer = "{kind: 'caduceus.conformance.test_parts_of_others:Answering', what: short}"
    options = [f"model.mixers=[{mixer}]", "model.embedding.d_model=8"]
    assert recipes("check", "tiny", *(word for option in options for word in ("--set", option))) == 2
    assert "Answering) returned shape (" in capsys.readouterr().err


def test_a_third_partys_mixer_trains_and_says_what_it_does_not_declare(
    recipes: Recipes, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixer = "{kind: 'caduceus.conformance.examples.dilated_conv:DilatedConv', width: 5}"
    options = [f"model.mixers=[{{kind: bimamba}}, {mixer}]", "max_steps=1"]
    assert recipes("run", "tiny", *(word for option in options for word in ("--set", option))) == 0
    assert "bidirectional: not declared by every mixer" in capsys.readouterr().out
    results = json.loads((only_run(folder) / "results.json").read_text())
    assert results["equivariance_error"] == 0.0
    assert results["control_equivariance_error"] > 0.001


def test_the_official_protocol_is_named_and_evaluates_what_it_trains(
    recipes: Recipes, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["equivariance=ph", "max_steps=1", "protocol=official", "data.length=32", "batch.tokens=64"]
    options += ["validation.share=0.001", "validation.test_share=0.001"]
    assert recipes("run", "tiny", *(word for option in options for word in ("--set", option))) == 0
    results = json.loads((only_run(folder) / "results.json").read_text())
    assert results["protocol"] == "official"
    assert results["equivariance_error"] > 0.001
    assert "official protocol" in capsys.readouterr().out
    assert "Official protocol" in (only_run(folder) / "report.html").read_text()


def test_the_report_needs_no_network_and_does_without_pictures(
    recipes: Recipes, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert recipes("run", "tiny", "--set", "max_steps=1", "--out", "with") == 0
    page = (folder / "with" / "report.html").read_text()
    assert page.count("<svg") == 2  # the loss of one step, and the predictions; a curve needs two points
    for outside in ("src=", 'href="http', "@import", "url(http", "<script"):
        assert outside not in page
    find_spec = report_module.find_spec
    monkeypatch.setattr(
        report_module, "find_spec", lambda name: None if name == "matplotlib" else find_spec(name), raising=True
    )
    assert recipes("run", "tiny", "--set", "max_steps=1", "--out", "without") == 0
    page = (folder / "without" / "report.html").read_text()
    assert page.count("<svg") == 0
    assert "pip install 'caduceus[plots]'" in page
    assert "counting: 1 bases on each side" in page


def test_the_quickstart_recipe_runs(recipes: Recipes, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["max_steps=2", "validation.share=0.01", "validation.test_share=0.01", "context.two_sided=[3]"]
    assert recipes("run", "quickstart", *(word for option in options for word in ("--set", option)), "--out", "q") == 0
    results = json.loads(Path("q/results.json").read_text())
    assert results["bits_per_base"]["two_sided"]["3"] == pytest.approx(1.868, abs=0.01)
    assert results["equivariance_error"] == 0.0
