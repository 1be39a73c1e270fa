"""A masked language model as Lightning trains it.

The loss of a step is the mean over all its targets, sum(w ce) / sum(w), however they fall on micro-batches and devices.
Each micro-batch adds its sum to the gradient, up to a constant; just before the update the gradient is divided by the
targets of the whole step. The official protocol instead averages the means of the micro-batches, as the authors do.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from caduceus.alphabet import PAD
from caduceus.losses import masked_lm
from caduceus.nn.model import Model
from caduceus.train.batches import BatchPlan
from caduceus.train.machine import use_threads
from caduceus.train.optimiser import configure
from caduceus.train.settings import Training


class Step(NamedTuple):
    """What one update saw: the loss in nats, None without targets; targets; the gradient's norm before clipping."""

    loss: float | None
    targets: int
    grad_norm: float


class MaskedLanguageModel(LightningModule):
    """Trains ``model`` on batches of ``input_ids``, ``labels`` and, optionally, ``loss_weights``, each (B, L).

    Attributes:
        last: what the latest update saw; set just before it.
        updated: whether the latest micro-batch ended with an update.
    """

    def __init__(self, model: Model, settings: Training, plan: BatchPlan) -> None:
        super().__init__()
        self.model, self.settings, self.plan = model, settings, plan
        self.pooled = settings.protocol == "sound"
        # Any constant will do; about a micro-batch's targets keeps the loss in the range that fp16 scaling expects.
        self.expected = max(1.0, 0.15 * plan.per_device * plan.length)
        self.last = Step(None, 0, 0.0)
        self.updated = False
        self._sums: list[Tensor] = []

    def on_train_start(self) -> None:
        use_threads(self.settings.threads)  # Lightning's launcher of several processes has divided the cores among them

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        self.updated = False
        # Whatever a third party's mixer draws depends on the place in the run alone, so that a run can continue.
        torch.manual_seed(hash((self.settings.seed, batch_idx, self.global_rank)) & (2**63 - 1))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        labels, weights = batch["labels"], batch.get("loss_weights")
        loss, targets = masked_lm(self.model(batch["input_ids"]), labels, weights)
        weight = float(targets) if weights is None else float(weights[labels != PAD].sum())
        if not self.pooled:
            weight = float(targets > 0)
        self._sums.append(torch.tensor([float(loss.detach()) * weight, weight, targets], dtype=torch.float64))
        return loss * (weight / self.expected) if self.pooled else loss

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        """The gradient here is the mean over micro-batches and devices of what `training_step` returned."""
        total, weight, targets = self._reduced().tolist()
        self._sums.clear()
        self.updated = True
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        if self.pooled and weight:
            torch._foreach_mul_(gradients, self.expected * self.plan.accumulate * self.plan.world / weight)
        norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
        self.last = Step(total / weight if weight else None, int(targets), float(norm))
        self._refuse_to_diverge()

    def _refuse_to_diverge(self) -> None:
        """End the run before an update that would spoil the weights, and a checkpoint with them."""
        scaled = self.trainer.precision == "16-mixed"  # whose scaler skips an update that overflows
        for what, value in (("loss", self.last.loss), ("gradient's norm", None if scaled else self.last.grad_norm)):
            if value is not None and not math.isfinite(value):
                raise FloatingPointError(
                    f"the {what} of step {self.trainer.global_step + 1} is {value}; a lower optimiser.lr, or precision "
                    "32-true, may help. Checkpoints hold what was before"
                )

    def _reduced(self) -> Tensor:
        """Sum of the losses, of their weights and of the targets, over micro-batches and devices."""
        sums = torch.stack(self._sums).sum(0)
        if self.plan.world == 1:
            return sums
        reduced: Tensor = self.trainer.strategy.reduce(sums.to(self.device), reduce_op="sum")
        return reduced

    def configure_optimizers(self) -> Any:
        optimiser, schedule = configure(self.model, self.settings)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
