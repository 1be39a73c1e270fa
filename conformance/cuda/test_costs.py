"""What `counts` counts is what runs: every operation of a BiMamba on this backend, watched as it is done."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.backends.cuda import CudaBackend, costs, counts
from caduceus.bench.authors import AuthorsBackend
from caduceus.conformance.cuda.watch import Launches

D_MODEL = 32
LAYER = counts.Layer(D_MODEL, 2 * D_MODEL, 16, 2)
MODES = [("authors", "forward"), ("authors", "train"), ("fused", "forward"), ("fused", "train"), ("kernels", "forward")]


def layer(backend: CudaBackend) -> Any:
    embedding = parts.Embedding(d_model=D_MODEL)
    spec = parts.Model(equivariance="none", embedding=embedding, mixers=[parts.BiMamba()])
    return caduceus.build(spec, backend=backend).mixers[0]


@pytest.mark.parametrize(("path", "mode"), MODES)
def test_what_is_counted_is_what_runs(
    path: str, mode: str, backend: CudaBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From two lengths, so that weights and what else does not grow with the length drops out."""
    if path == "kernels":
        monkeypatch.setattr(CudaBackend, "fused_mamba", lambda self, **sizes: None)
    mixer = layer(AuthorsBackend() if path == "authors" else backend)
    found = []
    for length in (256, 512):
        x = torch.randn(1, length, D_MODEL, requires_grad=True)
        cotangent = torch.randn(x.shape)
        with monkeypatch.context() as patch, Launches(patch) as launches, torch.set_grad_enabled(mode == "train"):
            y = mixer(x)
            if mode == "train":
                torch.autograd.grad(y, [x, *mixer.parameters()], cotangent)
        found.append((launches.moved, launches.flops))
    per_token = [(long - short) / 256 for short, long in zip(*found, strict=True)]
    assert per_token == list(counts.total(getattr(counts, path)(LAYER), mode == "train")[:2])


def test_the_paper_sizes() -> None:
    """Against numbers worked out by hand for d_model 256: sharing the projections saves nearly half of the products."""
    layer = counts.Layer(256, 512, 16, 16)
    flops = {name: counts.total(path(layer), train=False).flops for name, path in costs.PATHS.items()}
    assert flops.pop(costs.AUTHORS) == 1_703_936
    assert set(flops.values()) == {917_504}
    for path in costs.PATHS.values():
        forward, step = (counts.total(path(layer), train) for train in (False, True))
        assert (forward.exps, step.exps, step.flops) == (16_384, 32_768, 3 * forward.flops)


def test_a_launch_takes_as_long_as_its_slowest_part() -> None:
    card = costs.Card("a card", bandwidth=100.0, flops=10.0, exps=1.0)
    loads = [counts.Load(200, 1, 1), counts.Load(1, 70, 1), counts.Load(1, 1, 5)]
    steps = [counts.Step("any", load, counts.Load(50 * i)) for i, load in enumerate(loads)]
    assert costs.seconds(steps, 3, 2, card) == pytest.approx(3 * (4.0 + 7.0 + 5.0))
    assert costs.seconds(steps, 3, 2, card, train=True) == pytest.approx(3 * (4.0 + 7.0 + 5.0 + 1.0 + 2.0))


def test_it_prints_every_path_and_card(capsys: pytest.CaptureFixture[str]) -> None:
    costs.main(["--length", "1000", "--d-model", "128"])
    forward, step = capsys.readouterr().out.split("\n\n")
    for text, paths in ((forward, list(costs.PATHS)), (step, [n for n in costs.PATHS if n not in costs.FORWARD_ONLY])):
        _, head, *lines = text.splitlines()
        assert all(f"{card.name}, ms" in head for card in costs.CARDS)
        assert [line.partition("  ")[0] for line in lines] == paths


def test_the_gain_is_over_the_authors_structure() -> None:
    layer, card = counts.Layer(256, 512, 16, 16), costs.CARDS[0]
    first, fused, *_ = costs.table(layer, 131072, 2).splitlines()[1:]
    assert "x)" not in first
    times = [costs.seconds(path(layer), 131072, 2, card) for path in (counts.authors, counts.fused)]
    assert f"{1e3 * times[1]:.2f} ({times[0] / times[1]:.2f}x)" in fused
