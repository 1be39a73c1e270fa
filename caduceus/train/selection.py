"""After every epoch a validation; the weights of the best one are the result of the run."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn

from caduceus.train.bar import say
from caduceus.train.classifier import SequenceModel, tuning_rate
from caduceus.train.files import written_whole
from caduceus.train.module import Step
from caduceus.train.steps import AfterUpdate

Row = dict[str, float | int | None]
COLUMNS = ("epoch", "step", "lr", "train/loss", "valid/loss", "valid/score", "seconds")


class Selection(AfterUpdate):
    """Keeps the learning curve and the best weights; both are part of a checkpoint, so that a run can continue.

    Args:
        path: the CSV file of the curve, written anew after each epoch.
        per_epoch: updates of an epoch.
        validate: the score of the model as it is, the larger the better, None where it is not defined, which is worse
            than any score; and its loss.
    """

    def __init__(self, path: Path, per_epoch: int, validate: Callable[[], tuple[float | None, float]]) -> None:
        self.path, self.per_epoch, self.validate = path, per_epoch, validate
        self.rows: list[Row] = []
        self.best: float | None = None
        self.epoch = 0
        self.weights: dict[str, Tensor] = {}
        self._seconds = 0.0
        self._since: float | None = None
        self._losses: list[float] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._since = time.monotonic()
        self._trained = cast(SequenceModel, pl_module)

    def after_update(self, trainer: Trainer, step: int, seen: Step) -> None:
        if seen.loss is not None:
            self._losses.append(seen.loss)
        if step % self.per_epoch:
            return
        epoch = step // self.per_epoch
        found, loss = self.validate()
        if not self.weights or (found is not None and (self.best is None or found > self.best)):
            self.best, self.epoch, self.weights = found, epoch, _copied(self._trained.model)
        row: Row = {
            "epoch": epoch,
            "step": step,
            "lr": tuning_rate(step - 1, self._trained.settings, self._trained.steps),
            "train/loss": sum(self._losses) / len(self._losses) if self._losses else None,
            "valid/loss": loss,
            "valid/score": found,
            "seconds": self.seconds,
        }
        self.rows.append(row)
        self._losses.clear()
        self._write()
        shown = "not defined" if found is None else f"{found:.4f}"
        say(f"epoch {epoch} of {self._trained.settings.epochs}: validation {shown}")

    @property
    def seconds(self) -> float:
        """Seconds trained, in every part of the run; validations are counted."""
        running = 0.0 if self._since is None else time.monotonic() - self._since
        return round(self._seconds + running, 3)

    def restore(self, model: nn.Module) -> None:
        """Give ``model`` the best weights."""
        model.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        names = ("rows", "best", "epoch", "weights", "seconds")
        return {name: getattr(self, name) for name in names} | {"losses": self._losses}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rows, self.best, self.epoch = list(state["rows"]), state["best"], state["epoch"]
        self.weights, self._seconds, self._losses = state["weights"], state["seconds"], list(state["losses"])

    def _write(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        with written_whole(self.path) as file:
            file.write(text.getvalue().encode())


def _copied(model: nn.Module) -> dict[str, Tensor]:
    with torch.no_grad():
        return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


def read_curve(path: Path) -> list[Row]:
    """The rows of a curve that `Selection` wrote; none if there is no such file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: float(text) if text else None for name, text in row.items()} for row in csv.DictReader(file)]
