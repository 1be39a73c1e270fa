"""A classifier or a regression as Lightning trains it: the loss of a step is the mean over its rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from caduceus.data.labels import Problem
from caduceus.losses import classification
from caduceus.train.module import Step
from caduceus.train.optimiser import decay_groups
from caduceus.train.schedule import warmup_cosine
from caduceus.train.tuning_settings import Tuning

Read = Callable[[Tensor], Tensor]


class SequenceModel(LightningModule):
    """Trains ``model`` on batches of ``input_ids``, ``mask`` (B, L) and ``labels``.

    Args:
        read: (B, classes) out of what the model returns, as `caduceus.checkpoint.finetuning.class_outputs`.
        steps: updates that the schedule of the learning rate is made for.

    Attributes:
        last: what the latest update saw. updated: whether the latest micro-batch ended with an update.
    """

    def __init__(self, model: nn.Module, read: Read, problem: Problem, settings: Tuning, steps: int) -> None:
        super().__init__()
        self.model, self.read, self.problem, self.settings, self.steps = model, read, problem, settings, steps
        self.last = Step(None, 0, 0.0)
        self.updated = False
        self._losses: list[float] = []
        self._rows = 0

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        self.updated = False
        # What a layer draws depends on the place in the run alone, so that a run can continue.
        torch.manual_seed(hash((self.settings.seed, batch_idx)) & (2**63 - 1))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        outputs = self.read(self.model(batch["input_ids"], batch["mask"]))
        loss = classification(outputs, batch["labels"], self.problem)
        self._losses.append(float(loss.detach()))
        self._rows += len(batch["labels"])
        return loss

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
        loss = sum(self._losses) / len(self._losses)
        self.last = Step(loss, self._rows, float(norm))
        self._losses, self._rows, self.updated = [], 0, True
        # Before the update, which would spoil the weights, and a checkpoint with them.
        if not torch.isfinite(torch.tensor([loss, self.last.grad_norm])).all():
            raise FloatingPointError(
                f"the loss of step {self.trainer.global_step + 1} is {loss}, its gradient's norm "
                f"{self.last.grad_norm}; a lower optimiser.lr may help"
            )

    def configure_optimizers(self) -> Any:
        told = self.settings.optimiser
        groups = decay_groups(self.model)
        if self.settings.protocol == "official":
            # The authors' decoder is outside the model whose parameters are sorted, so its bias decays too.
            for name in [name for name in groups[False] if name == "head.bias"]:
                groups[True][name] = groups[False].pop(name)
        optimiser = AdamW(
            [
                {"params": trained, "weight_decay": told.weight_decay if decays else 0.0}
                for decays, named in groups.items()
                if (trained := [p for p in named.values() if p.requires_grad])
            ],
            lr=told.lr,
            betas=told.betas,
            eps=told.eps,
        )
        schedule = LambdaLR(optimiser, lambda step: tuning_rate(step, self.settings, self.steps) / told.lr)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def tuning_rate(step: int, settings: Tuning, steps: int) -> float:
    """The learning rate of update ``step`` of ``steps``, the first being 0; the authors' cosine runs under the warm-up.

    >>> settings = Tuning()
    >>> [round(tuning_rate(step, settings, 100), 6) for step in (0, 1, 50, 100)]
    [1e-06, 0.001, 0.00055, 0.0001]
    """
    schedule, lr = settings.schedule, settings.optimiser.lr
    return warmup_cosine(
        step,
        lr,
        warmup=schedule.warmup * steps,
        cosine=steps,
        start=schedule.start,
        end=schedule.end * lr,
        prefix=False,
    )
