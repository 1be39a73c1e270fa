"""A run that is told to compute on the CPU does nothing on a GPU, and says nothing of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from caduceus.conformance.cuda import pretend
from caduceus.conformance.recipes.conftest import Recipes, outcome
from caduceus.recipes import environment
from caduceus.train import loader, machine
from caduceus.train.batches import BatchPlan
from caduceus.train.fit import precision, worker_count
from caduceus.train.loader import Loader
from caduceus.train.settings import Training


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch says that there is one."""
    pretend.a_gpu(monkeypatch.setattr)


@pytest.mark.usefixtures("gpu")
def test_where_an_accelerator_puts_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = {"auto": "cuda", "gpu": "cuda", "cuda": "cuda", "cpu": "cpu", "mps": "cpu"}
    assert {name: machine.device(name).type for name in expected} == expected
    assert machine.device_name() == pretend.NAME
    assert machine.device_name("cpu").startswith("CPU (")
    assert machine.kernels("auto", "cpu").name in ("cpu", "torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    expected = {"auto": "mps", "gpu": "mps", "cuda": "cpu", "cpu": "cpu", "mps": "mps"}
    assert {name: machine.device(name).type for name in expected} == expected


@pytest.mark.usefixtures("gpu")
def test_readers_pinned_memory_and_precision_are_for_the_device_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, other = Training(accelerator="cpu"), Training()
    assert (worker_count(cpu), precision(cpu)) == (0, "32-true")
    assert worker_count(other) > 0
    assert precision(other) == "bf16-mixed"
    pinned: list[bool] = []

    def noted(*_: Any, pin_memory: bool, **__: Any) -> list[Any]:
        pinned.append(pin_memory)
        return []

    monkeypatch.setattr(loader, "DataLoader", noted)
    for settings in (cpu, other):
        plan = BatchPlan(length=8, sequences=1, world=1, per_device=1, accumulate=1)
        assert list(Loader([], plan, 1, device=machine.device(settings.accelerator))) == []
    assert pinned == [False, True]


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("name", ["tiny", "several"])
def test_check_estimates_on_the_device_of_the_run(
    recipes: Recipes, folder: Path, tiny: dict[str, Any], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    base = {field: value for field, value in tiny.items() if field not in ("task", "about")}
    several = {"task": "ablation", "base": base, "members": {"ps": {}}}
    (folder / "recipes" / "several.yaml").write_text(json.dumps(several))
    assert recipes("check", name) == 0
    said = capsys.readouterr().out
    assert " on CPU (" in said
    assert pretend.NAME not in said


@pytest.mark.usefixtures("gpu")
def test_a_run_on_the_cpu_names_the_cpu(recipes: Recipes, folder: Path, uninterrupted: Path) -> None:
    assert recipes("run", "tiny", "--out", "run") == 0
    assert json.loads((folder / "run" / "environment.json").read_text())["device"].startswith("CPU (")
    assert environment.here_and_now("cpu", "cpu")["device"].startswith("CPU (")
    assert outcome(folder / "run") == outcome(uninterrupted)
