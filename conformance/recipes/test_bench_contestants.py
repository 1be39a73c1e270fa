"""Whom a benchmark compares: backends, the loop over positions, and transformers through a stand-in."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from caduceus import parts
from caduceus.backends.torch import TorchBackend
from caduceus.bench.agree import disagreement
from caduceus.bench.contestant import prepared
from caduceus.bench.entries import entries
from caduceus.bench.hugging_face import MODELING, Transformers
from caduceus.bench.loop import LOOPS
from caduceus.bench.work import Work
from caduceus.conformance.cpu.examples import random_mask, results, scan_arguments
from caduceus.conformance.examples.dilated_conv import DilatedConv
from caduceus.conformance.recipes.bench_examples import WRONG, model
from caduceus.construct import build


@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.parametrize("reverse", [False, True])
def test_a_loop_computes_what_the_others_do(name: str, reverse: bool) -> None:
    arguments = scan_arguments(2, 40, 6, 3) | {"mask": random_mask(2, 40), "reverse": reverse}
    for given in (arguments, {**arguments, "mask": None}):
        expected = results(TorchBackend(), "selective_scan", given)
        found = results(LOOPS[name](), "selective_scan", given)
        assert expected.keys() == found.keys()
        for key, x in expected.items():
            torch.testing.assert_close(found[key], x, rtol=1e-5, atol=1e-5, msg=key)


@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.parametrize("equivariance", ["ph", "ps"])
def test_a_model_on_a_loop_is_the_same_model(name: str, equivariance: str) -> None:
    spec, ids = model(equivariance), torch.randint(7, 11, (2, 50))
    with torch.no_grad():
        expected, found = (build(spec, backend=backend)(ids) for backend in ("auto", LOOPS[name]()))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("part", ["scan", "layer", "model"])
@pytest.mark.parametrize("mode", ["forward", "train"])
def test_contestants_agree_and_a_training_step_is_one(part: Any, mode: Any) -> None:
    work = Work(part, mode, model(), 2, 20)
    contestants = entries("auto" if part == "scan" else "torch", ["loop", "torch"], "cpu")
    if mode == "forward":
        assert max(disagreement(contestants, work, "cpu").values()) < 1e-5
    for contestant in contestants:
        y = prepared(contestant, work, "cpu")()
        assert not y.requires_grad
        if mode == "forward":
            assert y.shape[:2] == (2, 20)
            continue
        ready = contestant.ready(work, "cpu")
        grads = torch.autograd.grad(ready.run(), ready.leaves, ready.cotangent)
        assert all(float(grad.abs().sum()) > 0 for grad in grads)


def test_who_computes_something_else_is_not_timed() -> None:
    contestants = entries("torch", [WRONG], "cpu")
    with pytest.raises(AssertionError, match=r"Wrong differs from torch by 0\.001 of the largest output of the scan"):
        disagreement(contestants, Work("scan", "forward", model(), 1, 16), "cpu")


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A module with the names and signatures of transformers' Mamba; the list of the sizes that it is asked for."""
    asked: list[dict[str, Any]] = []

    def scan(u: Any, dt: Any, A: Any, B: Any, C: Any, D: Any = None, **options: Any) -> torch.Tensor:
        z, bias = options["z"].transpose(1, 2), options["delta_bias"]
        u, dt, B, C = (x.transpose(1, 2) for x in (u, dt, B, C))
        y, _ = TorchBackend.selective_scan(u, dt, A, B, C, D, z, bias, options["delta_softplus"])
        return y.transpose(1, 2)

    class Model(torch.nn.Module):
        def __init__(self, config: dict[str, Any], layer_idx: int = 0) -> None:
            super().__init__()
            asked.append(config)

        def forward(self, x: torch.Tensor) -> Any:
            return SimpleNamespace(last_hidden_state=x) if x.ndim == 2 else x

    module = SimpleNamespace(
        mamba_selective_scan=scan,
        MambaConfig=dict,
        MambaModel=Model,
        MambaMixer=Model,
        logging=SimpleNamespace(set_verbosity_error=lambda: None),
    )
    monkeypatch.setitem(sys.modules, MODELING, module)
    return asked


def test_transformers_is_given_the_same_sizes_and_reads_each_way_and_strand(stand_in: list[dict[str, Any]]) -> None:
    (_, contestant) = entries("torch", ["transformers"], "cpu")
    spec = model("ps", 32, d_state=5, expand=3, dt_rank=4, d_conv=3, conv_bias=False, bias=True)
    y = prepared(contestant, Work("model", "forward", spec, 2, 20), "cpu")()
    assert y.shape == (4, 2, 20)
    assert torch.equal(y[1], y[0].flip(1))
    assert prepared(contestant, Work("layer", "forward", spec, 2, 20), "cpu")().shape == (2, 2, 20, 32)
    one_way = spec.model_copy(update={"equivariance": "ph", "mixers": (parts.Mamba(),)})
    assert prepared(contestant, Work("model", "forward", one_way, 2, 20), "cpu")().shape == (1, 2, 20)
    assert stand_in[0] == {
        "vocab_size": 16,
        "hidden_size": 32,
        "state_size": 5,
        "num_hidden_layers": 2,
        "expand": 3,
        "conv_kernel": 3,
        "time_step_rank": 4,
        "use_bias": True,
        "use_conv_bias": False,
        "use_cache": False,
    }


@pytest.mark.usefixtures("stand_in")
def test_the_scan_of_transformers_is_the_scan() -> None:
    contestants = entries("torch", ["transformers"], "cpu")
    assert disagreement(contestants, Work("scan", "forward", model(), 2, 20), "cpu")["transformers"] < 1e-5
    assert disagreement(contestants, Work("model", "forward", model(), 2, 20), "cpu") == {}


def test_what_transformers_cannot_do_is_said() -> None:
    lacks = Transformers().lacks
    assert lacks(Work("model", "forward", model(), 1, 8)) is None
    assert "quadratic" in str(lacks(Work("model", "train", model(), 1, 8)))
    mixed = model().model_copy(update={"mixers": (parts.BiMamba(), DilatedConv())})
    assert "equal Mamba layers" in str(lacks(Work("model", "forward", mixed, 1, 8)))
    assert "whole number" in str(lacks(Work("model", "forward", model(expand=1.5), 1, 8)))
