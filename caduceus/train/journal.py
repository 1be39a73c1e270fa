"""After every update a row of metrics.csv; every so often a validation first."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer

from caduceus.data import Score
from caduceus.train.bar import say
from caduceus.train.batches import BatchPlan
from caduceus.train.keeper import Unusable
from caduceus.train.means import Means, compare
from caduceus.train.metrics import MetricsFile, Row, bits_column
from caduceus.train.module import MaskedLanguageModel, Step
from caduceus.train.optimiser import learning_rate
from caduceus.train.ranks import process_rank
from caduceus.train.scoring import followed_equivariance_error
from caduceus.train.settings import Training
from caduceus.train.steps import AfterUpdate


class Journal(AfterUpdate):
    """Keeps `MetricsFile` and validates.

    Its state in a checkpoint: the seconds trained, and, if a signal came during a validation, the row that waits for
    it; the run that continues validates first. Beside them, how a step was cut and what computed it.

    Args:
        means: what the run computes with now.
        validate: scores this rank's share of the validation windows; None if a signal came meanwhile.
        waited: seconds that this process has waited for data so far.
    """

    def __init__(
        self,
        file: MetricsFile,
        settings: Training,
        plan: BatchPlan,
        validate: Callable[[], Score | None],
        waited: Callable[[], float],
        means: Callable[[], Means],
    ) -> None:
        self.file, self.settings, self.plan, self.validate, self.waited = file, settings, plan, validate, waited
        self.means = means
        self.waiting: Row | None = None
        self._seconds = 0.0
        self._since: float | None = None
        self._step_began = (0.0, 0.0)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._since = time.monotonic()
        self._step_began = (self._since, self.waited())
        if trainer.is_global_zero:  # the row that waits may be there: of a run that wrote no checkpoint after it
            self.file.cut_back(trainer.global_step - (self.waiting is not None))
        if self.waiting is not None:
            self._write(trainer, self.waiting)
        trainer.should_stop = self.waiting is not None

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._since is None:  # every step was done before: Lightning does not start
            self.on_train_start(trainer, pl_module)

    def after_update(self, trainer: Trainer, step: int, seen: Step) -> None:
        row: Row = {
            "step": step,
            "tokens": step * self.plan.tokens,
            "lr": learning_rate(step - 1, self.settings),
            "train/loss": seen.loss,
            "train/targets": seen.targets,
            "train/grad_norm": seen.grad_norm,
            "train/waiting": self._share_waited(),
            "seconds": self.seconds,
        }
        self._write(trainer, row)
        self._step_began = (time.monotonic(), self.waited())

    @property
    def seconds(self) -> float:
        """Seconds trained, in every part of the run; validations are counted."""
        running = 0.0 if self._since is None else time.monotonic() - self._since
        return round(self._seconds + running, 3)

    def _share_waited(self) -> float:
        """Of the time since the last row was written, the share spent waiting for data."""
        began, waited = self._step_began
        return round((self.waited() - waited) / max(time.monotonic() - began, 1e-9), 4)

    def _write(self, trainer: Trainer, row: Row) -> None:
        """The row goes to the file, unless a signal comes during its validation."""
        step = int(row["step"] or 0)
        self.waiting = row
        if step % self.settings.validation_steps == 0 or step == self.settings.max_steps:
            score = self._validated(trainer)
            if score is None:
                return
            row |= {"valid/loss": score.loss, "valid/bits_per_base": score.bits_per_base}
            row |= {bits_column(kind): bits for kind, bits in score.bits_by_kind().items()}
            row["valid/equivariance_error"] = self._equivariance_error(trainer)
            say(f"step {step:,} of {self.settings.max_steps:,}: {score.bits_per_base:.4f} bits per held-out base")
        self.waiting = None
        if trainer.is_global_zero:
            self.file.append(row)
        for logger in trainer.loggers:
            logger.log_metrics({name: value for name, value in row.items() if value is not None}, step)

    def _validated(self, trainer: Trainer) -> Score | None:
        """The score over all ranks; None if any was asked to stop."""
        found = self.validate()
        own = Score() if found is None else found
        sums = np.stack([own.nats, own.counts, np.full(Score.SHAPE, float(found is None))])
        device = trainer.strategy.root_device
        dtype = torch.float32 if device.type == "mps" else torch.float64
        total = trainer.strategy.reduce(torch.tensor(sums, dtype=dtype, device=device), reduce_op="sum")
        nats, counts, stopped = total.cpu().double().numpy()
        return None if stopped.any() else Score(nats, counts)

    def _equivariance_error(self, trainer: Trainer) -> float:
        trained = cast(MaskedLanguageModel, trainer.lightning_module)
        return followed_equivariance_error(trained.model, self.settings.protocol)

    def state_dict(self) -> dict[str, Any]:
        if process_rank() == 0:
            self.file.sync()
        return {"seconds": self.seconds, "waiting": self.waiting, "plan": self._shape, "means": dict(self.means())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state["plan"] != self._shape:
            raise Unusable(
                f"the checkpoint was written with {state['plan']}, this run has {self._shape}: give the same devices "
                "and the same batch, or another folder"
            )
        compare(state.get("means", {}), self.means())
        self._seconds, self.waiting = state["seconds"], state["waiting"]

    @property
    def _shape(self) -> dict[str, int]:
        return {name: getattr(self.plan, name) for name in ("world", "per_device", "accumulate")}
