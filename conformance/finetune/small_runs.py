"""A fine-tuning recipe that takes a second, on two tables of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import caduceus
from caduceus import parts
from caduceus.recipes import tuning_figures, tuning_report
from caduceus.recipes.tuning_figures import Mark

SPEC = {
    "embedding": {"kind": "embedding", "d_model": 8},
    "mixers": [{"kind": "bimamba", "mamba": {"d_state": 2, "expand": 1}}],
    "head": {"kind": "masked_lm"},
}


def write_recipe(**fields: Any) -> None:
    """tune.yaml, in the working directory."""
    given = {
        "task": "finetune",
        "tasks": {"gc": {"train": "train.csv", "test": "test.csv", "label": "y"}},
        "model": SPEC,
        "seeds": [1, 2],
        "epochs": 1,
        "batch": 10,
        "resamples": 50,
        "backend": "torch",
        "accelerator": "cpu",
        "optimiser": {"lr": 0.02},
    }
    Path("tune.yaml").write_text(yaml.safe_dump({**given, **fields}))


def write_model() -> Any:
    """A model of random weights in the folder "trained"; the model."""
    model = caduceus.build(parts.Model.model_validate(SPEC), backend="torch")
    caduceus.save_pretrained(model, "trained")
    return model


def run_folder() -> Path:
    """That of the one run."""
    (run,) = Path("runs").iterdir()
    return run


def results() -> dict[str, Any]:
    """Of the one run, which is finished."""
    found: dict[str, Any] = json.loads((run_folder() / "results.json").read_text())
    return found


def marks_drawn(monkeypatch: pytest.MonkeyPatch) -> list[Mark]:
    """What is drawn of the scores from now on, in place of any picture."""
    drawn: list[Mark] = []
    monkeypatch.setattr(tuning_report, "find_spec", lambda name: object())
    monkeypatch.setattr(tuning_figures, "marks", lambda marks, *_, **__: drawn.extend(marks) or "")
    for name in ("learning", "decisions"):
        monkeypatch.setattr(tuning_figures, name, lambda *_: "")
    return drawn
