"""An ablation: members that differ in what is asked about alone, its runs, its numbers, and where it goes on."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import caduceus
from caduceus.conformance.recipes.conftest import Recipes
from caduceus.conformance.uninstalled import uninstall
from caduceus.recipes import ablate, ablation_report, report
from caduceus.recipes.ablation import Ablation, parameters
from caduceus.recipes.confidence import mean_interval
from caduceus.recipes.find import find
from caduceus.recipes.load import load
from caduceus.recipes.pretraining import Pretraining
from caduceus.recipes.run_dir import RunFolder
from caduceus.train.metrics import MetricsFile


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take longer than the runs; the last one of an ablation is drawn where a test asks for it."""
    monkeypatch.setattr(report, "find_spec", lambda name: None)
    monkeypatch.setattr(ablation_report, "find_spec", lambda name: None)


@pytest.fixture
def question(recipes: Recipes, folder: Path, tiny: dict[str, Any]) -> Recipes:
    """Two members and two seeds of the small recipe, as recipes/question.yaml."""
    told = {
        "task": "ablation",
        "base": {**tiny, "max_steps": 2, "validation": {"every": 0.5, "share": 1.0, "test_share": 1.0}},
        "members": {"ps": {}, "none": {"equivariance": "none"}},
        "seeds": [1, 2],
        "contrasts": [["none", "ps"]],
    }
    for unwanted in ("task", "about"):
        told["base"].pop(unwanted)
    (folder / "recipes" / "question.yaml").write_text(yaml.safe_dump(told, sort_keys=False))
    return recipes


def test_its_numbers_and_curves_are_those_of_its_runs(
    question: Recipes, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ablation_report, "find_spec", find_spec)
    assert question("run", "question", "--out", "out") == 0
    said = capsys.readouterr().out
    results = json.loads((folder / "out" / "results.json").read_text())
    bits = results["bits_per_base"]
    for member in ("ps", "none"):
        for seed in ("1", "2"):
            own = folder / "out" / "runs" / f"{member}-seed{seed}"
            assert json.loads((own / "results.json").read_text())["bits_per_base"]["model"] == bits[member][seed]
            assert caduceus.load_pretrained(own / "model").spec.equivariance == member
            assert yaml.safe_load((own / "recipe.yaml").read_text())["seed"] == int(seed)
        assert results["members"][member]["mean"] == pytest.approx(np.mean(list(bits[member].values())))
    (contrast,) = results["contrasts"]
    differences = [bits["none"][seed] - bits["ps"][seed] for seed in ("1", "2")]
    assert list(contrast["differences"].values()) == differences
    assert contrast["mean"] == pytest.approx(np.mean(differences))
    reach = 12.706 * np.std(differences, ddof=1) / 2**0.5
    assert contrast["high"] - contrast["mean"] == pytest.approx(reach, rel=1e-4)
    assert f"none - ps                     {contrast['mean']:+.4f}" in said
    assert results["members"]["ps"]["largest_equivariance_error"] == 0.0
    assert results["members"]["none"]["largest_equivariance_error"] > 0.001
    check_curves(folder / "out")


def test_it_goes_on_where_it_stopped(question: Recipes, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    original = Pretraining.run

    def run(self: Pretraining, own: RunFolder) -> Any:
        if len(done) == 3:
            raise OSError("no space left")
        done.append(self.name)
        return original(self, own)

    monkeypatch.setattr(Pretraining, "run", run)
    assert question("run", "question", "--out", "out") == 1
    assert done == ["question-ps-seed1", "question-none-seed1", "question-ps-seed2"]
    assert not (folder / "out" / "results.json").exists()
    page = (folder / "out" / "report.html").read_text()
    assert "3 of 4 runs are finished" in page
    assert 'http-equiv="refresh"' in page
    done.clear()
    assert question("run", "question", "--out", "out") == 0
    assert done == ["question-none-seed2"]
    assert "runs are finished" not in (folder / "out" / "report.html").read_text()
    done.clear()
    assert question("run", "question", "--out", "out") == 0
    assert done == []


def test_what_changes_nothing_in_a_run_changes_nothing_in_all(question: Recipes, folder: Path) -> None:
    path = find("question")
    usual = load(path)
    assert load(path, ["base.max_time=02:00:00", "members.none.workers=1"]).digest == usual.digest
    assert load(path, ["members.none.protocol=official"]).digest != usual.digest


def test_only_the_first_of_several_processes_writes(
    question: Recipes, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(ablate, "process_rank", lambda: 1)
    monkeypatch.setattr(Pretraining, "run", lambda self, own: done.append(self.name))
    recipe = load(find("question"))
    recipe.run(RunFolder(recipe, folder / "out"))
    assert len(done) == 4
    assert not (folder / "out").exists()


def check_curves(out: Path) -> None:
    """Bands reach from the lowest seed to the highest."""
    recipe = load(find("question"))
    assert isinstance(recipe, Ablation)
    tables = ablation_report.curves(recipe, RunFolder(recipe, out))
    runs = [MetricsFile(out / "runs" / f"ps-seed{seed}" / "metrics.csv").rows() for seed in (1, 2)]
    bits = np.array([[row["valid/bits_per_base"] for row in rows] for rows in runs], dtype=float)
    assert tables.keys() == {"ps", "none"}
    expected = [[100, 200], bits.mean(0), bits.min(0), bits.max(0)]
    np.testing.assert_allclose(tables["ps"], np.array(expected), rtol=1e-12)
    assert (out / "report.html").read_text().count("<svg") == 1


def test_check_says_what_each_member_and_all_of_it_take(question: Recipes, capsys: pytest.CaptureFixture[str]) -> None:
    assert question("check", "question") == 0
    said = capsys.readouterr().out
    assert "question-ps-seed1" in said
    assert "question-none-seed1" in said
    assert "for 4 runs" in said
    assert not Path("runs").exists()


REFUSED = {
    "members.ps.optimizer.lr=1": "member ps: optimizer: no such field; did you mean 'optimiser'?",
    "contrasts=[[non, ps]]": "contrasts names 'non', which is no member; did you mean 'none'?",
    "members.none.max_steps=3": "members see different numbers of tokens, ps 200, none 300",
    "members.none.model={embedding: {kind: embedding, d_model: 16}, mixers: [], head: {kind: masked_lm}}": "members' "
    "parameters differ by more than 5%",
    "seeds=[1, 1]": "expected each once",
    "members={}": "members: ",
    "base.data.fasta=absent.fa": "absent.fa",
}


@pytest.mark.parametrize("option", REFUSED)
def test_what_cannot_be_compared_is_refused(question: Recipes, capsys: Any, option: str) -> None:
    assert question("run", "question", "--set", option) == 2
    assert REFUSED[option] in capsys.readouterr().err
    assert not Path("runs").exists()


def test_the_papers_question_is_asked_at_equal_parameters_and_tokens() -> None:
    recipe = load(find("paper_ablation"))
    assert isinstance(recipe, Ablation)
    members = {name: recipe.recipe(name, 1) for name in recipe.members}
    assert members.keys() == {"ps", "ph", "none", "unidirectional", "untied"}
    assert len(recipe.seeds) >= 3
    sizes = [parameters(own.spec) for own in members.values()]
    assert max(sizes) / min(sizes) < 1.05
    assert {own.spec.embedding.channels for own in members.values()} == {64}
    assert [own.reverses for own in members.values()] == [False, True, False, False, False]
    same = {name: own.model_dump(exclude={"name", "model", "equivariance"}) for name, own in members.items()}
    assert all(fields == same["ps"] for fields in same.values())


def test_parameters_are_those_of_the_built_model() -> None:
    spec = load(find("quickstart")).spec  # type: ignore[attr-defined]
    assert parameters(spec) == sum(p.numel() for p in caduceus.build(spec, backend="torch").parameters()) == 32_704


def test_an_interval_is_students() -> None:
    """Of three values, two degrees of freedom: 4.3027 in the tables."""
    found = mean_interval([1.5, 1.7, 1.9])
    assert found.mean == pytest.approx(1.7)
    assert (found.low, found.high) == pytest.approx(
        (1.7 - 4.3027 * 0.2 / 3**0.5, 1.7 + 4.3027 * 0.2 / 3**0.5), abs=1e-5
    )


def test_one_repetition_has_no_interval() -> None:
    assert mean_interval([1.5]) == (1.5, None, None)


@pytest.mark.parametrize("verb", ["check", "run"])
def test_what_the_intervals_need_is_asked_for_before_anything_is_trained(
    question: Recipes, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    uninstall(monkeypatch, "scipy")
    assert question(verb, "question", *(["--out", "out"] if verb == "run" else [])) == 2
    assert "pip install 'caduceus[evaluate]'" in capsys.readouterr().err
    assert not (folder / "out" / "runs").exists()
