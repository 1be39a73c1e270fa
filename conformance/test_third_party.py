"""A mixer in one file outside the package: from YAML and from code, trained, and through the suite by name."""

from __future__ import annotations

import importlib
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.conformance.as_strangers import run_suite
from caduceus.conformance.examples import dilated_conv
from caduceus.spec import Spec

YAML = """
equivariance: ps
embedding: {kind: embedding, d_model: 8}
mixers:
- kind: bimamba
  mamba: {d_state: 4}
- {kind: "my_conv:DilatedConv", width: 9}
head: {kind: masked_lm}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of somebody else's, on the path, with the mixer in it."""
    shutil.copy(dilated_conv.__file__, tmp_path / "my_conv.py")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield tmp_path
    sys.modules.pop("my_conv", None)


def test_from_yaml_and_from_code(folder: Path) -> None:
    (folder / "model.yaml").write_text(YAML, encoding="utf-8")
    from_yaml = caduceus.load_spec(folder / "model.yaml")
    mixers: list[Any] = [
        parts.BiMamba(mamba=parts.Mamba(d_state=4)),
        {"kind": "my_conv:DilatedConv", "width": 9},
    ]
    from_code = parts.Model(embedding=parts.Embedding(d_model=8), mixers=mixers, head=parts.MaskedLM())
    assert from_yaml == from_code
    mixer = importlib.import_module("my_conv").DilatedConv(width=9)
    assert from_code.model_copy(update={"mixers": (mixers[0], mixer)}) == from_code
    model = caduceus.build(from_yaml)
    caduceus.check.assert_equivariant(model)
    caduceus.check.assert_bidirectional(model)


def test_it_trains(folder: Path) -> None:
    """The loss of a repeated motif with holes falls, and every weight of the mixer has a part in it."""
    spec = importlib.import_module("my_conv").make()
    model = caduceus.build(spec, seed=0)
    ids = np.tile(caduceus.encode("ACGGTAAC")[0], (4, 3))
    holes = np.random.default_rng(0).random(ids.shape) < 0.2
    inputs, labels = np.where(holes, 3, ids), torch.tensor(np.where(holes, ids, 4))
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.02)
    before = {name: x.copy() for name, x in model.weights().items()}
    losses = []
    for _ in range(20):
        loss, _ = caduceus.losses.masked_lm(model(inputs), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert all(not np.array_equal(x, before[name]) for name, x in model.weights().items())
    assert caduceus.check.equivariance_error(model, n=1) == 0.0


def test_its_weights_are_drawn_from_the_seed_and_kept(folder: Path) -> None:
    spec = importlib.import_module("my_conv").make()
    first, again, other = (caduceus.build(spec, seed=seed).weights() for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["mixers.0.taps"], other["mixers.0.taps"])
    caduceus.save_pretrained(caduceus.build(spec, seed=1), folder / "saved")
    loaded = caduceus.load_pretrained(folder / "saved").weights()
    assert all(np.array_equal(first[name], loaded[name]) for name in first)


class NoModule(Spec):
    """A spec that forgot its module."""


class NotAModule(Spec):
    """A spec whose module is none."""

    def module(self, backend: Any) -> Any:
        return "a convolution"


@pytest.mark.parametrize(
    ("mixer", "message"),
    [
        (NoModule(), r"NoModule has no method module\(self, backend\); give it one that returns an nn\.Module"),
        (NotAModule(), r"NotAModule\.module returned str, expected a torch\.nn\.Module"),
    ],
)
def test_a_spec_without_a_module_is_refused(mixer: Spec, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        caduceus.build(parts.Model(embedding=parts.Embedding(d_model=8), mixers=[mixer]))


def test_it_passes_the_suite_by_name(folder: Path) -> None:
    done = run_suite(folder, "--model", "my_conv:make")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ passed", done.stdout)
    assert "failed" not in done.stdout
    for line in (
        "equivariance: model(rc x) = rc model(x): 0 (",
        "0 (reference float64, at most 0), 0 (torch float32, at most 0)",
        "models: values of the reference: ",
        "masks: padding changes nothing: ",
        "--model my_conv:make: the properties of models, on this one alone",
    ):
        assert line in done.stdout


FAULTY = '''
import torch
from my_conv import DilatedConv, make as good

class Leaky(DilatedConv):
    """Its masks are forgotten, and it has no reference."""
    reference = property(lambda self: (_ for _ in ()).throw(AttributeError("reference")))

    def module(self, backend):
        module = super().module(backend)
        forward = module.forward
        module.forward = lambda h, mask=None: forward(h)
        return module

def make():
    return Leaky(width=5)
'''


def test_a_faulty_one_does_not_pass(folder: Path) -> None:
    """It forgets masks: that shows. It has no reference: that is said."""
    (folder / "leaky.py").write_text(FAULTY, encoding="utf-8")
    done = run_suite(folder, "--model", "leaky:make", "--backend", "torch", "-k", "masks or masked or square or values")
    assert done.returncode == 1, done.stdout + done.stderr
    failed = re.findall(r"^FAILED \S*/(\w+\.py::\w+)", done.stdout, re.MULTILINE)
    seen = {"test_mixer_does_not_see_what_is_masked", "test_gradients_where_masked"}
    assert set(failed) == {f"test_model_masks.py::{test}" for test in seen}
    assert "not applicable: values: mixers.0 (leaky:Leaky) has no reference" in done.stdout


WRONG_SLOPE = """
import torch
from my_conv import DilatedConv

class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): return x.clone()
    @staticmethod
    def backward(ctx, dy): return 2 * dy

class Steep(DilatedConv):
    reference = property(lambda self: (_ for _ in ()).throw(AttributeError("reference")))

    def module(self, backend):
        module = super().module(backend)
        module.register_forward_hook(lambda module, given, y: Doubled.apply(y))
        return module

def make():
    return Steep(width=5)
"""


def test_a_wrong_gradient_shows_without_a_reference(folder: Path) -> None:
    (folder / "steep.py").write_text(WRONG_SLOPE, encoding="utf-8")
    done = run_suite(folder, "--model", "steep:make", "--backend", "torch", "-k", "slopes or gradients")
    assert done.returncode == 1, done.stdout + done.stderr
    failed = re.findall(r"^FAILED \S*/test_model_(\w+\.py::\w+)", done.stdout, re.MULTILINE)
    assert set(failed) == {"values.py::test_gradients_are_slopes", "values.py::test_gradients_are_slopes_under_a_mask"}


BUILT = """
import caduceus
from caduceus import parts

def make():
    spec = parts.Model(embedding=parts.Embedding(d_model=8), mixers=[parts.BiMamba()], head=parts.MaskedLM())
    return caduceus.build(spec)
"""


def test_a_built_model_is_tried_on_its_own_backend(folder: Path) -> None:
    (folder / "built.py").write_text(BUILT, encoding="utf-8")
    done = run_suite(folder, "--model", "built:make", "-k", "average or saved or twin or slopes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "differences of values in float32 are no slopes" in done.stdout
