"""A recipe that takes a second, on a genome of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors.numpy import load_file

from caduceus.conformance.data.fasta_files import fasta_text, random_sequence, write_fasta
from caduceus.conformance.one_thread import one_thread as one_thread
from caduceus.conformance.recipes.nursery import Nursery
from caduceus.recipes import report
from caduceus.recipes.__main__ import main
from caduceus.train.metrics import WALL_CLOCK, MetricsFile, Row

Recipes = Callable[..., int]


def outcome(run: Path) -> tuple[dict[str, Any], list[Row]]:
    """Weights, and the table without the clock."""
    rows = [
        {name: value for name, value in row.items() if name not in WALL_CLOCK}
        for row in MetricsFile(run / "metrics.csv").rows()
    ]
    return {name: value.tobytes() for name, value in load_file(run / "model" / "model.safetensors").items()}, rows


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Runs in processes of their own."""
    with Nursery() as nursery:
        yield nursery


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: empty, without data or a cache from elsewhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CADUCEUS_DATA", raising=False)
    monkeypatch.setenv("CADUCEUS_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def tiny(folder: Path) -> dict[str, Any]:
    """Fields of a small recipe; its genome and intervals are files in the working directory."""
    sequence = random_sequence(3000, 7, "AACGTT") + random_sequence(600, 8, "ACGTN")
    write_fasta(folder, fasta_text({"chr1": sequence}))
    rows = [("chr1", 0, 2000, "train"), ("chr1", 3000, 3600, "train"), ("chr1", 2000, 2500, "valid")]
    rows.append(("chr1", 2500, 3000, "test"))
    (folder / "splits.bed").write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    return {
        "task": "pretrain",
        "about": "seconds",
        "model": {
            "embedding": {"kind": "embedding", "d_model": 8},
            "mixers": [{"kind": "bimamba", "mamba": {"d_state": 2, "expand": 1}}],
            "head": {"kind": "masked_lm"},
        },
        "data": {"fasta": "genome.fa", "intervals": "splits.bed", "length": 25},
        "batch": {"tokens": 100, "per_device": 2},
        "max_steps": 6,
        "validation": {"every": 0.5, "share": 1.0, "test_share": 1.0},
        "checkpoints": {"every": 1, "keep": 10},
        "context": {"one_sided": [2], "two_sided": [1]},
        "accelerator": "cpu",
        "devices": 1,
    }


@pytest.fixture
def recipes(folder: Path, tiny: dict[str, Any]) -> Recipes:
    """``recipes("run", "tiny", ...)``: the command line in this process, tiny.yaml in ./recipes; its exit status."""
    (folder / "recipes").mkdir()
    (folder / "recipes" / "tiny.yaml").write_text(yaml.safe_dump(tiny))
    return lambda *arguments: main([str(argument) for argument in arguments])


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the run that was not stopped is kept, once a test has done it."""
    return tmp_path_factory.mktemp("finished") / "whole"


@pytest.fixture
def uninterrupted(recipes: Recipes, folder: Path, finished: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that nothing happened to, in a folder of its own for each test; no picture is drawn in such a test."""
    monkeypatch.setattr(report, "find_spec", lambda name: None)
    if not finished.exists():
        assert recipes("run", "tiny", "--out", finished) == 0
    shutil.copytree(finished, folder / "whole")
    return folder / "whole"
