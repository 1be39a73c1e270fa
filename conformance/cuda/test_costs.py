"""The counts of `costs` are those of what runs: every operation of a BiMamba on this backend, watched as it is done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

import caduceus
from caduceus import parts
from caduceus.backends.cuda import CudaBackend, costs
from caduceus.conformance.cuda import stand_ins

D_MODEL = 32
LAYER = costs.Layer(D_MODEL, 2 * D_MODEL, 16, 2)


MOVE_NOTHING = ("aten::_unsafe_view", "aten::new_zeros")


class Traffic(TorchDispatchMode):
    """Elements read and written by torch's operations; views move nothing, and kernels tell what they move."""

    def __init__(self) -> None:
        super().__init__()
        self.moved, self.paused = 0, False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        is_view = any(r.alias_info is not None and not r.alias_info.is_write for r in func._schema.returns)
        if not (self.paused or is_view or func.name() in MOVE_NOTHING):
            self.moved += elements(args, kwargs, found)
        return found

    def kernel(self, function: Any) -> Any:
        """A stand-in, whose arguments are read once and whose results are written once."""

        def call(*arguments: Any) -> Any:
            self.paused = True
            found = function(*arguments)
            self.paused = False
            written = found if isinstance(found, torch.Tensor) else found[::2]  # the second holds states of chunks
            self.moved += elements(arguments, written)
            return found

        return call


def elements(*things: Any) -> int:
    return sum(x.numel() for x in tree_leaves(things) if isinstance(x, torch.Tensor))


@pytest.fixture
def traffic(monkeypatch: pytest.MonkeyPatch) -> Iterator[Traffic]:
    found = Traffic()
    monkeypatch.setattr(stand_ins, "scan_fwd", found.kernel(stand_ins.scan_fwd))
    monkeypatch.setattr(stand_ins, "conv_fwd", found.kernel(stand_ins.conv_fwd))
    return found


def layer(backend: CudaBackend) -> Any:
    embedding = parts.Embedding(d_model=D_MODEL)
    spec = parts.Model(equivariance="none", embedding=embedding, mixers=[parts.BiMamba()])
    return caduceus.build(spec, backend=backend).mixers[0]


@pytest.fixture(params=["fused", "kernels"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Steps of a path, and the path as what a mixer takes."""
    if request.param == "kernels":
        monkeypatch.setattr(CudaBackend, "fused_mamba", lambda self, **sizes: None)
    return getattr(costs, request.param)(LAYER)


def test_elements_moved(path: list[costs.Step], backend: CudaBackend, traffic: Traffic) -> None:
    """From two lengths, so that weights and what else does not grow with the length drops out."""
    mixer, totals = layer(backend), []
    for length in (256, 512):
        x = torch.randn(1, length, D_MODEL)
        traffic.moved = 0
        with torch.no_grad(), traffic:
            mixer(x)
        totals.append(traffic.moved)
    assert (totals[1] - totals[0]) / 256 == sum(step.moved for step in path)


def test_flops(path: list[costs.Step], backend: CudaBackend) -> None:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        layer(backend)(torch.randn(1, 256, D_MODEL))
    scans = 2 * 256 * 2 * LAYER.e * LAYER.n  # the stand-in's own product with C
    assert counter.get_total_flops() - scans == 256 * sum(step.flops for step in path)


def test_the_paper_sizes() -> None:
    """Against numbers worked out by hand for d_model 256: sharing the projections saves nearly half of the products."""
    layer = costs.Layer(256, 512, 16, 16)
    flops = {name: sum(step.flops for step in path(layer)) for name, path in costs.PATHS.items()}
    assert flops.pop("authors' structure") == 1_703_936
    assert set(flops.values()) == {917_504}
    assert all(sum(step.exps for step in path(layer)) == 16_384 for path in costs.PATHS.values())


def test_a_launch_takes_as_long_as_its_slowest_part() -> None:
    card = costs.Card("a card", bandwidth=100.0, flops=10.0, exps=1.0)
    steps = [costs.Step("moves", 200, 1, 1), costs.Step("multiplies", 1, 70, 1), costs.Step("raises", 1, 1, 5)]
    assert costs.seconds(steps, 3, 2, card) == pytest.approx(3 * (4.0 + 7.0 + 5.0))


def test_it_prints_every_path_and_card(capsys: pytest.CaptureFixture[str]) -> None:
    costs.main(["--length", "1000", "--d-model", "128"])
    head, *lines = capsys.readouterr().out.splitlines()
    assert all(f"{card.name}, ms" in head for card in costs.CARDS)
    assert [line.partition("  ")[0] for line in lines] == list(costs.PATHS)
