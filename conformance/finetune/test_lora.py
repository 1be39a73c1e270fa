"""Adapters act: each gets a gradient and changes the output, on kernels that read the weights directly too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.alphabet import BASES
from caduceus.nn.lora import TARGETS, adapters, add_lora, assert_adapters_learn, idle_adapters, merge_lora

BACKENDS = [info.name for info in caduceus.available_backends() if info.available and info.name in ("cpu", "torch")]
IDS = torch.from_numpy(np.random.default_rng(0).choice(BASES, (4, 20)))
MIXERS = {
    "tied": {"fusion": "add", "tie": "projections"},
    "untied": {"fusion": "add", "tie": "none"},
    "multiply": {"fusion": "multiply", "tie": "projections"},
}


def make(backend: str = "torch", mixer: str = "tied", dtype: str = "float32", equivariance: str = "ps") -> Any:
    spec = parts.Model(
        equivariance=equivariance,  # type: ignore[arg-type]
        embedding=parts.Embedding(d_model=16),
        mixers=[parts.BiMamba(mamba=parts.Mamba(d_state=16), **MIXERS[mixer]) for _ in range(2)],  # type: ignore[arg-type]
        head=parts.VectorHead(stranded=2),
    )
    return caduceus.build(spec, backend=backend, dtype=dtype)


def loss_of(model: Any) -> torch.Tensor:
    loss: torch.Tensor = caduceus.losses.classification(
        model(IDS)[:, ::2], torch.tensor([0, 1, 1, 0]), "single_label_classification"
    )
    return loss


@pytest.mark.parametrize("mixer", MIXERS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_adapter_gets_a_gradient_and_changes_the_output(backend: str, mixer: str) -> None:
    model = make(backend, mixer)
    before = model(IDS).detach()
    names = add_lora(model, rank=2)
    assert len(names) == 2 * (8 if mixer == "untied" else 6)
    assert torch.equal(model(IDS), before), "an adapter begins without effect, to the bit"
    step = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
    loss_of(model).backward()
    assert idle_adapters(model) == []
    step.step()
    step.zero_grad()
    loss_of(model).backward()
    for name, adapter in adapters(model):
        assert adapter.A.grad is not None, name
        assert bool(adapter.A.grad.any()), f"{name}: once B is not 0, A learns too"
        torch.nn.init.normal_(adapter.B)
    adapted = model(IDS).detach()
    for name, adapter in adapters(model):
        kept = adapter.B.detach().clone()
        adapter.B.data.zero_()
        assert not torch.equal(model(IDS), adapted), f"{name} has no effect"
        adapter.B.data.copy_(kept)


def test_backends_agree_on_an_adapted_model() -> None:
    outputs = []
    for backend in BACKENDS:
        model = make(backend, dtype="float64")
        add_lora(model, rank=2)
        generator = torch.Generator().manual_seed(1)
        for _, adapter in adapters(model):
            adapter.B.data.copy_(torch.randn(adapter.B.shape, generator=generator, dtype=torch.float64))
        outputs.append(model(IDS).detach())
        assert caduceus.check.equivariance_error(model, lengths=(1, 7), n=1) == 0.0
    assert len(outputs) == len(BACKENDS) > 0
    assert torch.allclose(outputs[0], outputs[-1], rtol=0, atol=1e-10)


def test_only_adapters_and_the_head_are_trained() -> None:
    model = make()
    frozen = {name: p.detach().clone() for name, p in model.named_parameters() if not name.startswith("head.")}
    add_lora(model, rank=2)
    step = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1)
    loss_of(model).backward()
    step.step()
    after = dict(model.named_parameters())
    for name, value in frozen.items():
        prefix, _, last = name.rpartition(".")
        now = after.get(name, after.get(f"{prefix}.parametrizations.{last}.original"))
        assert now is not None
        assert torch.equal(now, value), name
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert {name for name in trained if "parametrizations" not in name} == {"head.weight", "head.bias"}


def test_a_head_that_is_the_embedding_stays_frozen() -> None:
    spec = parts.Model(embedding=parts.Embedding(d_model=8), mixers=[parts.BiMamba()], head=parts.MaskedLM())
    model = caduceus.build(spec, backend="torch")
    add_lora(model)
    assert not model.head.weight.requires_grad


def test_a_merged_model_is_the_same_model_and_can_be_saved(tmp_path: Path) -> None:
    model = make()
    names = set(model.weights())
    add_lora(model, rank=2)
    for _, adapter in adapters(model):
        torch.nn.init.normal_(adapter.B)
    adapted = model(IDS).detach()
    merge_lora(model)
    assert list(adapters(model)) == []
    assert torch.equal(model(IDS), adapted)
    assert set(model.weights()) == names
    assert all(parameter.requires_grad for parameter in model.parameters())
    caduceus.save_pretrained(model, tmp_path / "model")
    assert torch.equal(caduceus.load_pretrained(tmp_path / "model", backend="torch")(IDS), adapted)


def test_state_goes_into_a_model_with_adapters_of_another_seed() -> None:
    one, other = make(), make()
    add_lora(one, rank=2, seed=1)
    add_lora(other, rank=2, seed=2)
    for _, adapter in adapters(one):
        torch.nn.init.normal_(adapter.B)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(IDS), other(IDS))


def test_a_target_without_effect_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"is called query, .* expected names out of dt_proj, in_proj, out_proj, x_proj"
    ):
        add_lora(make(), targets=["in_proj", "query"])
    model = make()
    add_lora(model, targets=TARGETS[:1])
    with pytest.raises(ValueError, match="has adapters already"):
        add_lora(model)
    with pytest.raises(ValueError, match="rank is 0"):
        add_lora(make(), rank=0)


def test_an_adapter_that_would_never_learn_is_refused_by_name() -> None:
    model = make()
    add_lora(model, rank=2)
    assert_adapters_learn(model, IDS)
    assert all(parameter.grad is None for parameter in model.parameters())
    model.mixers[1].fwd.in_proj.parametrizations.weight[0].scale = 0.0
    with pytest.raises(ValueError, match=r"the adapters of mixers\.1\.fwd\.in_proj get no gradient"):
        assert_adapters_learn(model, IDS)
