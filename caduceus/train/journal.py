"""After every update a row of metrics.csv; every so often a validation first."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer

from caduceus.train.bar import say
from caduceus.train.batches import BatchPlan
from caduceus.train.metrics import MetricsFile, Row
from caduceus.train.module import Step
from caduceus.train.optimiser import learning_rate
from caduceus.train.ranks import process_rank
from caduceus.train.scoring import Score
from caduceus.train.settings import Training
from caduceus.train.steps import AfterUpdate


class Journal(AfterUpdate):
    """Keeps `MetricsFile` and validates.

    Its state in a checkpoint: the seconds trained, and, if a signal came during a validation, the row that waits for
    it; the run that continues validates first.

    Args:
        validate: scores this rank's share of the validation windows; None if a signal came meanwhile.
    """

    def __init__(
        self,
        file: MetricsFile,
        settings: Training,
        plan: BatchPlan,
        validate: Callable[[], Score | None],
    ) -> None:
        self.file, self.settings, self.plan, self.validate = file, settings, plan, validate
        self.waiting: Row | None = None
        self._seconds = 0.0
        self._since: float | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._since = time.monotonic()
        if trainer.is_global_zero:
            self.file.cut_back(trainer.global_step)
        if self.waiting is not None:
            self._write(trainer, self.waiting)
        trainer.should_stop = self.waiting is not None

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._since is None:  # every step was done before: Lightning does not start
            self.on_train_start(trainer, pl_module)

    def after_update(self, trainer: Trainer, step: int, seen: Step) -> None:
        if seen.loss is not None and not math.isfinite(seen.loss):
            raise FloatingPointError(
                f"the loss of step {step} is {seen.loss}; a lower optimiser.lr, or precision 32-true, may help. "
                "Earlier checkpoints are untouched"
            )
        row: Row = {
            "step": step,
            "tokens": step * self.plan.tokens,
            "lr": learning_rate(step - 1, self.settings),
            "train/loss": seen.loss,
            "train/targets": seen.targets,
            "train/grad_norm": seen.grad_norm,
            "seconds": self.seconds,
        }
        self._write(trainer, row)

    @property
    def seconds(self) -> float:
        """Seconds trained, in every part of the run; validations are counted."""
        running = 0.0 if self._since is None else time.monotonic() - self._since
        return round(self._seconds + running, 3)

    def _write(self, trainer: Trainer, row: Row) -> None:
        """The row goes to the file, unless a signal comes during its validation."""
        step = int(row["step"] or 0)
        self.waiting = row
        if step % self.settings.validation_steps == 0 or step == self.settings.max_steps:
            score = self._validated(trainer)
            if score is None:
                return
            row |= {"valid/loss": score.loss, "valid/bits_per_base": score.bits_per_base}
            say(f"step {step:,} of {self.settings.max_steps:,}: {score.bits_per_base:.4f} bits per held-out base")
        self.waiting = None
        if trainer.is_global_zero:
            self.file.append(row)

    def _validated(self, trainer: Trainer) -> Score | None:
        """The score over all ranks; None if any was asked to stop."""
        found = self.validate()
        sums = [0.0, 0.0, 1.0] if found is None else [found.nats, float(found.targets), 0.0]
        device = trainer.strategy.root_device
        dtype = torch.float32 if device.type == "mps" else torch.float64
        total = trainer.strategy.reduce(torch.tensor(sums, dtype=dtype, device=device), reduce_op="sum")
        nats, targets, stopped = total.tolist()
        return None if stopped else Score(nats, int(targets))

    def state_dict(self) -> dict[str, Any]:
        if process_rank() == 0:
            self.file.sync()
        return {"seconds": self.seconds, "waiting": self.waiting, "plan": self._shape}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state["plan"] != self._shape:
            raise ValueError(
                f"the checkpoint was written with {state['plan']}, this run has {self._shape}: give the same devices "
                "and batch.per_device, or another folder"
            )
        self._seconds, self.waiting = state["seconds"], state["waiting"]

    @property
    def _shape(self) -> dict[str, int]:
        return {name: getattr(self.plan, name) for name in ("world", "per_device", "accumulate")}
