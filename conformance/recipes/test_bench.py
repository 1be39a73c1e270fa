"""The recipe of a benchmark: what a run prints and leaves behind, and what it refuses. No time is asserted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from caduceus.backends.cpu.library import LibraryUnusable
from caduceus.conformance.examples.dilated_conv import DilatedConv
from caduceus.conformance.recipes.bench_examples import WRONG
from caduceus.conformance.uninstalled import uninstall
from caduceus.recipes import bench_run
from caduceus.recipes.__main__ import main
from caduceus.recipes.find import find
from caduceus.recipes.load import load


@pytest.fixture
def tiny_bench(folder: Path) -> Path:
    mixer = {"kind": "bimamba", "mamba": {"d_state": 2, "expand": 1}}
    fields = {
        "task": "bench",
        "size": "quick",
        "backend": "torch",
        "peers": ["loop"],
        "model": {
            "embedding": {"kind": "embedding", "d_model": 8},
            "mixers": [mixer],
            "head": {"kind": "masked_lm"},
        },
        "scan": {"batch": 1, "length": 16},
        "layer": None,
        "models": [{"batch": 2, "length": 8}],
        "timing": {"rounds": 2, "turn_seconds": 0.0, "call_seconds": 60.0},
        "limits": {"seconds": 0.01, "memory_mb": 4},
        "threads": 1,
    }
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(fields))
    return path


def run(path: Path, *options: str) -> int:
    return main(["run", str(path), "--out", "out", *(word for option in options for word in ("--set", option))])


def rows_of(results: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for each in results["rows"]:
        for found in each["contestants"].values():
            yield each, found


def test_a_run_measures_everything_and_leaves_it_behind(tiny_bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tiny_bench, "variants=[ph, ps]") == 0
    out = capsys.readouterr().out
    assert {path.name for path in Path("out").iterdir()} == {
        *("recipe.yaml", "environment.json", "results.json", "report.html")
    }
    results = json.loads(Path("out/results.json").read_text())
    assert results.keys() == {
        *("date", "subject", "contestants", "threads", "load", "limits", "card", "disagreement", "rows", "derived")
    }
    assert [(row["part"], row["variant"], row["mode"], row["length"]) for row in results["rows"]] == [
        *(("scan", None, mode, 16) for mode in ("forward", "train")),
        *(("model", name, mode, 8) for name in ("ph", "ps") for mode in ("forward", "train")),
    ]
    for each, found in rows_of(results):
        subject = each["contestants"]["torch"]
        tokens = each["batch"] * each["length"]
        assert found["low"] <= found["median"] <= found["high"]
        assert found["ratio"] == pytest.approx(found["median"] / subject["median"], rel=1e-9)
        assert found["tokens_per_second"] == pytest.approx(tokens / found["median"], rel=1e-9)
        assert found["updates_per_second"] == pytest.approx(each["updates"] / found["median"], rel=1e-9)
        assert found["of_floor"] == pytest.approx(each["floor_seconds"] / found["median"], rel=1e-9)
        assert found["peak_bytes"] >= 0
        assert f"{each['length']}" in out
    assert [found["threads"] for found in results["limits"]] == [1]
    assert results["disagreement"]["ps model"]["loop"] < 1e-4
    assert [each["mode"] for each in results["derived"]["ps_over_ph"]] == ["forward", "train"]
    for shown in ("ps model, train, 2 x 8; floor", "times  of floor  tokens/s", "GFLOP/s", "ps over ph, forward"):
        assert shown in out
    environment = json.loads(Path("out/environment.json").read_text())
    assert environment["versions"].keys() >= {"torch", "transformers"}
    assert environment["processor"]


def test_a_finished_run_is_shown_again_and_its_page_needs_no_network(
    tiny_bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("modes=[forward]", "variants=[ph]", "scan=null", "models=[{batch: 1, length: 8}]")
    assert run(tiny_bench, *options) == 0
    first = capsys.readouterr().out
    before = {path: path.stat().st_mtime_ns for path in Path("out").iterdir()}
    assert run(tiny_bench, *options) == 0
    again = capsys.readouterr().out
    assert "holds this run, finished" in again
    assert first[first.index("tiny: 20") :] == again[again.index("tiny: 20") :]
    assert {path: path.stat().st_mtime_ns for path in Path("out").iterdir()} == before
    page = Path("out/report.html").read_text()
    assert page.count("<svg") == 2
    assert "ph model, forward, 1 x 8" in page
    for outside in ("src=", 'href="http', "@import", "url(http", "<script"):
        assert outside not in page


def test_without_the_compiled_library_times_are_set_beside_each_other_only(
    tiny_bench: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent(*arguments: Any, **named: Any) -> Any:
        raise LibraryUnusable("it was not compiled")

    monkeypatch.setattr(bench_run, "measure_limits", absent)
    monkeypatch.setattr("caduceus.recipes.bench_report.find_spec", lambda name: None)
    assert run(tiny_bench, "modes=[forward]", "variants=[ph]", "scan=null", "models=[{batch: 1, length: 8}]") == 0
    assert (
        "limits not measured, so times are set beside each other only: it was not compiled" in capsys.readouterr().out
    )
    results = json.loads(Path("out/results.json").read_text())
    assert results["limits"] is None
    assert [found["of_floor"] for _, found in rows_of(results)] == [None, None]
    assert all(found["ratio"] > 0 for _, found in rows_of(results))
    page = Path("out/report.html").read_text()
    assert "were not measured" in page
    assert "pip install 'caduceus[plots]'" in page


def test_a_missing_extra_is_said_before_any_work(
    tiny_bench: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    uninstall(monkeypatch, "transformers")
    monkeypatch.setattr(bench_run, "measure", lambda *_: pytest.fail("it was timed"))
    assert run(tiny_bench, "peers=[transformers]") == 2
    assert "error: transformers is not installed; it comes with an extra: pip install 'caduceus[bench]'" in (
        capsys.readouterr().err
    )
    assert not Path("out").exists()


REFUSED = {
    "device=cud": "device is 'cud', which cannot be timed; did you mean 'cuda'?",
    "longest={batch: 1}": "longest.length: Field required",
    "size=quik": "size is 'quik', expected one of full, quick",
    "peers=[nobody]": "unknown backend 'nobody'",
    "backend=reference": "'reference' is the backend that others are checked against",
    "models=[{batch: 0, length: 8}]": "models.0.batch: Input should be greater than 0",
    "modes=[backward]": "modes.0: Input should be 'forward' or 'train'",
    "timing.round=3": "timing.round: no such field; did you mean 'rounds'?",
    "model=caduceus-ps-1kd118": "did you mean 'caduceus-ps-1k-d118'?",
    "model.head={kind: sequence_classifier}": "a benchmark takes a model with a masked-LM head",
    f"model.mixers.0={{kind: '{DilatedConv.kind_name}'}}": "no selective scan to time alone; give scan: null",
}


@pytest.mark.parametrize("option", REFUSED)
def test_bad_input_is_refused(tiny_bench: Path, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tiny_bench, option) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert REFUSED[option] in said
    assert not Path("out").exists()


def test_a_difference_stops_the_run_before_it_times(tiny_bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tiny_bench, f"peers=['{WRONG}']") == 1
    assert "they do not compute the same" in capsys.readouterr().err
    assert not Path("out").exists()


def test_check_says_what_would_be_timed_and_writes_nothing(
    tiny_bench: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(tiny_bench), "--set", "longest={batch: 1, length: 4096}"]) == 0
    said = capsys.readouterr().out
    assert "time   ps model train 2 x 8: torch, loop" in said
    assert "time   ps model train 1 x as many as fit, at most 4,096: torch, loop" in said
    assert said.endswith("ready\n")
    assert list(folder.iterdir()) == [tiny_bench]


def test_the_shipped_recipe_names_every_field_and_asks_for_what_was_promised() -> None:
    recipe: Any = load(find("bench"))
    text = find("bench").read_text()
    fields = yaml.safe_load(recipe.to_yaml())
    leaves = [*fields, *fields["timing"], *fields["limits"]]
    assert [name for name in leaves if f"{name}:" not in text] == ["name"]
    shapes = [(shape.batch, shape.length) for shape in recipe.models]
    assert shapes == [(64, 512), (8, 1024), (1, 32_768), (1, 131_072)]
    cell = recipe.spec.bound_mixers()[0].cell
    assert (cell.d_inner, cell.d_state, recipe.scan.length, len(recipe.spec.mixers)) == (512, 16, 8192, 4)
    assert len(list(recipe.works())) == 2 + 2 + 16
    assert {(work.precision, work.longest) for work in recipe.works()} == {("32-true", False)}
    assert load(find("bench"), ["size=quick", "scan=null"]).to_yaml().count("scan: null") == 1


def test_a_gpu_has_shapes_and_peers_of_its_own() -> None:
    """1k, 32k, 131k and the longest that fits, of one layer and of whole models; a field that is given wins."""
    recipe: Any = load(find("bench"), ["device=cuda"])
    works = list(recipe.works())
    lengths = [1_024, 32_768, 131_072, 1 << 24]
    assert [work.length for work in works if work.part == "layer" and work.mode == "train"] == lengths
    for name in ("ph", "ps"):
        assert [work.length for work in works if work.variant == name and work.mode == "forward"] == lengths
    assert [work.longest for work in works] == [work.length == 1 << 24 for work in works]
    assert {work.precision for work in works} == {"bf16-mixed"}
    assert recipe.peers == ("authors", "torch")
    assert (recipe.timing.memory_gb, recipe.timing.rounds) == (None, 5)
    given = ["device=cuda", "size=quick", "longest=null", "precision=32-true", "layer={batch: 2, length: 64}"]
    quick: Any = load(find("bench"), given)
    assert [(work.batch, work.length, work.precision) for work in quick.works() if work.part == "layer"] == [
        (2, 64, "32-true")
    ] * 2
    assert not any(work.longest for work in quick.works())


def test_a_device_that_is_not_there_is_refused(
    tiny_bench: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    assert run(tiny_bench, "device=cuda") == 2
    said = capsys.readouterr().err
    assert f"error: device is 'cuda', and torch {torch.__version__} is built without CUDA" in said
    assert not Path("out").exists()
