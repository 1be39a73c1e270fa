"""What one update is: the mean over all its targets, whatever the micro-batches; nothing where there are none."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.alphabet import PAD
from caduceus.losses import masked_lm
from caduceus.train.batches import BatchPlan, plan_batches
from caduceus.train.fit import make_trainer, quietly
from caduceus.train.module import MaskedLanguageModel
from caduceus.train.settings import Batch, Optimiser, Training

SPEC = parts.Model(embedding=parts.Embedding(d_model=8), mixers=[parts.BiMamba()], head=parts.MaskedLM())


def batches(targets: list[int], weights: bool = False) -> list[dict[str, torch.Tensor]]:
    """Micro-batches of one sequence of 20 bases, each with so many targets."""
    generator = torch.Generator().manual_seed(5)
    found = []
    for count in targets:
        ids = torch.randint(7, 11, (1, 20), generator=generator)
        labels = torch.full_like(ids, PAD)
        labels[0, :count] = ids[0, :count]
        batch = {"input_ids": ids.where(labels == PAD, torch.tensor(3)), "labels": labels}
        if weights:
            batch["loss_weights"] = torch.rand((1, 20), generator=generator)
        found.append(batch)
    return found


class Given(list[Any]):
    """Batches as a loader: Lightning takes a plain list for several loaders."""

    __hash__ = object.__hash__


class Gradients(MaskedLanguageModel):
    """Keeps the gradients of the update."""

    kept: list[torch.Tensor]

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        super().on_before_optimizer_step(optimizer)
        self.kept = [parameter.grad.clone() for parameter in self.model.parameters() if parameter.grad is not None]


def update(targets: list[int], weights: bool = False, **fields: Any) -> Gradients:
    settings = Training(max_steps=1, accelerator="cpu", devices=1, optimiser=Optimiser(clip=None), **fields)
    plan = BatchPlan(length=20, sequences=len(targets), world=1, per_device=1, accumulate=len(targets))
    module = Gradients(caduceus.build(SPEC, backend="torch"), settings, plan)
    with quietly():
        make_trainer(settings, accumulate_grad_batches=len(targets)).fit(module, Given(batches(targets, weights)))
    return module


@pytest.mark.parametrize("weights", [False, True])
def test_the_gradient_is_that_of_the_mean_over_all_targets(weights: bool) -> None:
    module = update([1, 7, 0, 12], weights)
    model = caduceus.build(SPEC, backend="torch")
    whole = {
        name: torch.cat([batch[name] for batch in batches([1, 7, 0, 12], weights)]) for name in batches([1], weights)[0]
    }
    loss, count = masked_lm(model(whole["input_ids"]), whole["labels"], whole.get("loss_weights"))
    loss.backward()
    expected = [parameter.grad for parameter in model.parameters()]
    assert module.last.targets == count == 20
    assert module.last.loss == pytest.approx(float(loss.detach()), rel=1e-6)
    largest = max(float(gradient.abs().max()) for gradient in expected)
    for found, wanted in zip(module.kept, expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5 * largest)
    assert module.last.grad_norm == pytest.approx(float(torch.cat([g.flatten() for g in expected]).norm()), rel=1e-5)


def test_the_official_protocol_averages_the_means_of_micro_batches() -> None:
    module = update([1, 12], protocol="official")
    model = caduceus.build(SPEC, backend="torch")
    means = [masked_lm(model(batch["input_ids"]), batch["labels"])[0] for batch in batches([1, 12])]
    assert module.last.loss == pytest.approx(float(sum(means).detach()) / 2, rel=1e-6)  # type: ignore[union-attr]
    assert module.last.targets == 13


def test_a_step_without_targets_is_counted_and_harmless() -> None:
    module = update([0, 0])
    assert module.last == (None, 0, 0.0)
    assert all(bool(torch.isfinite(parameter).all()) for parameter in module.model.parameters())


def test_a_batch_that_does_not_divide_is_refused() -> None:
    for batch, length, world, said in (
        (Batch(tokens=1000), 1024, 1, "multiple of data.length"),
        (Batch(tokens=3 * 1024), 1024, 2, "do not divide over 2 devices"),
        (Batch(tokens=4096, per_device=3), 1024, 1, "expected a divisor of 4"),
    ):
        with pytest.raises(ValueError, match=said):
            plan_batches(batch, length, world)
    assert plan_batches(Batch(), 131_072, 1).accumulate == 8
    assert plan_batches(Batch(), 1024, 8) == BatchPlan(1024, 1024, 8, 16, 8)
