"""`--backend` and `--model`: whose they are, what they leave out, and what is no backend and no model."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.conformance import plugin, summary, test_model_equivariance, under_test
from caduceus.conformance.as_strangers import run_suite
from caduceus.conformance.examples.dilated_conv import DilatedConv
from caduceus.conformance.properties import bounds
from caduceus.conformance.subjects import Case, Subject

HERE = "caduceus.conformance.test_options"
BACKEND = '''
from caduceus.backends.torch import TorchBackend

class Mine(TorchBackend):
    name = "mine"
    dtypes = ("float32",)

class Faulty(Mine):
    """The convolution forgets its state."""
    def causal_conv(self, x, weight, bias=None, activation=None, reverse=False, state=None, mask=None):
        return super().causal_conv(x, weight, bias, activation, reverse, None, mask)
'''


def test_somebody_elses_backend(tmp_path: Path) -> None:
    """Faults show, what a backend does not declare is said, and the rest of the suite is left out."""
    (tmp_path / "theirs.py").write_text(BACKEND, encoding="utf-8")
    done = run_suite(
        tmp_path,
        "--backend",
        "theirs:Mine",
        "--backend",
        "theirs:Faulty",
        "-k",
        "test_backend_conv and (split or norm or half)",
    )
    assert done.returncode == 1, done.stdout + done.stderr
    failed = set(re.findall(r"^FAILED \S*test_backend_conv\.py::(\w+)", done.stdout, re.MULTILINE))
    assert failed == {"test_split_with_carried_state"}
    assert re.search(r"norm: values of the reference: [\d.e-]+ \(mine float32, at most 2e-05\)", done.stdout)
    assert "not applicable: backend mine declares no float64" in done.stdout
    assert "not applicable: backend mine declares no float16 or bfloat16" in done.stdout
    assert "the rest of the suite was left out" in done.stdout
    for info in caduceus.available_backends():
        assert info.available or f"backend not tested: {info.name}: {info.reason}" in done.stdout


def mixer() -> DilatedConv:
    return DilatedConv(width=3)


def nothing() -> None:
    return None


def broken() -> Any:
    return DilatedConv(width=4)


class Dropping(DilatedConv):
    """With dropout, of each strand for itself."""

    def module(self, backend: Any) -> torch.nn.Module:
        module = super().module(backend)
        module.activation = torch.nn.Sequential(module.activation, torch.nn.Dropout(0.5))
        return module


def built() -> Any:
    return caduceus.build(caduceus.zoo.spec("caduceus-ps-1k-d118"), dtype="float64")


def test_what_a_model_may_be() -> None:
    """A mixer's spec goes into a ps model; what is no model ends the run."""
    found = under_test.load_model(f"{HERE}:mixer")
    assert (found.equivariance, found.mixers) == ("ps", (DilatedConv(width=3),))
    assert under_test.load_model("caduceus.conformance.examples.dilated_conv:DilatedConv").mixers == (DilatedConv(),)
    with pytest.raises(pytest.UsageError, match="gave NoneType, expected the spec of a model, or a model"):
        under_test.load_model(f"{HERE}:nothing")
    with pytest.raises(pytest.UsageError, match="no attribute 'nobody'"):
        under_test.load_model(f"{HERE}:nobody")
    with pytest.raises(pytest.UsageError, match=r"it raised\nTraceback(.*\n)+.* in broken\n(.*\n)+.*width is 4"):
        under_test.load_model(f"{HERE}:broken")
    with pytest.raises(pytest.UsageError, match="--backend tpu: unknown backend"):
        under_test.load_backend("tpu")


def test_what_draws_at_random_in_training_is_equivariant_outside_of_it(hold: Any) -> None:
    spec = parts.Model(embedding=parts.Embedding(d_model=8), mixers=[Dropping()], head=parts.MaskedLM())
    case = Case(spec, Subject(caduceus.get_backend("torch"), "float64"))
    with pytest.raises(pytest.skip.Exception, match="not applicable: in training it draws at random"):
        test_model_equivariance.test_square_commutes_in_training_mode(case, hold)
    test_model_equivariance.test_square_commutes_at_greater_lengths(case, hold)


def config(**options: Any) -> Any:
    return SimpleNamespace(getoption=lambda name: options.get(name.strip("-")))


def test_requirements_are_reported_for_a_given_model_only() -> None:
    """Models of the catalogue that a test is not for are not tried; one that was asked for is accounted for."""
    tried = under_test._cases(config(backend=["torch"]), "case", ["reads_both_ways"])
    assert all(not param.marks for param in tried)
    assert 10 < len(tried) < 2 * len(under_test.CATALOGUE)
    (given, _) = under_test._cases(config(backend=["torch"], model=f"{HERE}:mixer"), "case", ["reads_both_ways"])
    (mark,) = given.marks
    assert mark.kwargs["reason"] == "not applicable: its mixers walk one way, or do not say how far they read"


def test_a_built_model_is_tried_as_it_is() -> None:
    """On no other backend, in its own dtype, with its own weights, in eval mode."""
    (param,) = under_test._cases(config(model=f"{HERE}:built"), "case", ["equivariant"])
    (case,) = param.values
    assert (case.dtype, f"{case}") == ("float64", "the given model, float64")
    assert case.model is case.built
    assert not case.model.training


def test_the_reference_is_compared_with_nothing() -> None:
    (param,) = under_test._subjects(config(backend=["reference"]), "candidate")
    assert param.marks[0].kwargs["reason"].startswith("not applicable: the reference is what values are compared with")
    assert [p.values[0].dtype for p in under_test._subjects(config(backend=["reference"]), "subject")] == ["float64"]


def test_errors_are_honest() -> None:
    """NaN and wrong shapes are as far away as anything can be, and what is expected to be large may be off by more."""
    nan, infinite = float("nan"), float("inf")
    assert bounds.distance([nan], [0.0]) == bounds.distance([0.0], [nan]) == infinite
    assert bounds.distance([1.0], [1.0, 1.0]) == infinite
    assert bounds.distance([1.0, 3.0], [1.0, 2.0], [True, False]) == 0.0
    assert bounds.distance([101.0], [100.0]) == 0.01
    assert bounds.distance(([1.0], [5.0]), ([1.0], [5.5])) == pytest.approx(0.5 / 5.5)
    assert bounds.largest([]) == 0.0


def test_a_property_that_does_not_hold_fails() -> None:
    @bounds.law("a law", {"float64": 0.1})
    def broken(x: float) -> float:
        return x

    noted: dict[str, float] = {}
    plugin.assert_held(noted.__setitem__, broken, 0.1)
    with pytest.raises(AssertionError, match=r"a law: error 0\.5, expected at most 0\.1"):
        plugin.assert_held(noted.__setitem__, broken, 0.5)
    assert noted == {"a law | (all, at most 0.1)": 0.5}
    with pytest.raises(pytest.skip.Exception, match="not applicable: a law: says nothing of float16"):
        plugin.assert_held(noted.__setitem__, broken, 0.5, dtype="float16")


def test_summary_keeps_the_largest_error_of_each() -> None:
    def report(value: float, whom: str) -> Any:
        return SimpleNamespace(when="call", user_properties=[(f"{summary.PREFIX}a law{summary.WHOM}{whom}", value)])

    reports = [report(1e-7, "(torch float32)"), report(3e-7, "(torch float32)"), report(0.0, "(reference float64)")]
    assert list(summary._largest_errors(reports)) == [
        "largest error: a law: 0 (reference float64), 3e-07 (torch float32)"
    ]
