"""Layers through torch.compile: the kernels are single operators there, and the model is the same."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.backends.cpu import CpuBackend
from caduceus.conformance import inputs
from caduceus.conformance.properties import activations
from caduceus.conformance.properties.bounds import distance
from caduceus.nn import model as module
from caduceus.train.mode import set_mode
from caduceus.train.settings import Training

SPEC = parts.Model(
    embedding=parts.Embedding(d_model=8),
    mixers=[parts.BiMamba(), parts.BiMamba(), parts.CrossStrand()],
    head=parts.MaskedLM(),
)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The operators of the graphs that are compiled; what a code generator would make of them is left out."""
    found: list[str] = []

    def keep(graph: torch.fx.GraphModule, example: Any) -> Any:
        found.extend(str(node.target) for node in graph.graph.nodes)
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=keep))
    module._compiled.cache_clear()
    yield found
    module._compiled.cache_clear()
    torch._dynamo.reset()


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
def test_compiled_layers_are_the_layers(backend: CpuBackend, seen: list[str]) -> None:
    model = caduceus.build(SPEC, backend=backend)
    ids = inputs.random_bases(0, 2, 33)
    plain, _ = activations.trained(model, ids, None, checkpointed=False)
    set_mode(model, backend, Training(compile=True))
    for checkpointed in (False, True):
        found, _ = activations.trained(model, ids, None, checkpointed)
        assert found.keys() == plain.keys()
        assert max(distance(found[name], plain[name]) for name in plain) <= 1e-5
    assert {"caduceus.cpu_mamba.default", "caduceus.cpu_norm.default"} <= set(seen)
    count = len(seen)
    caduceus.check.assert_equivariant(model, lengths=(1, 17))
    assert len(seen) == count, "evaluation was compiled too"
