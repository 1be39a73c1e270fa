"""Fine-tuning: a model, labelled samples and settings go in; the model of the best epoch comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from caduceus.data.finetuning import LabelledSamples
from caduceus.losses import classification
from caduceus.nn.modes import evaluating
from caduceus.train import machine
from caduceus.train.batches import BatchPlan, rows_at_once
from caduceus.train.classifier import Read, SequenceModel
from caduceus.train.fit import CHECKPOINTS, make_trainer, quietly
from caduceus.train.keeper import Keeper, newest
from caduceus.train.loader import Loader, collate
from caduceus.train.selection import Row, Selection
from caduceus.train.signals import Signals, Stopped
from caduceus.train.tuning_settings import Tuning
from caduceus.train.watching import Watching

CURVE = "curve.csv"
# Larger is better; what is true and the probabilities, or numbers, of the model.
Select = Callable[[np.ndarray, np.ndarray], float | None]


@dataclass(frozen=True)
class Tuned:
    """What a run came to: the best epoch by validation, its score, seconds of training, and the curve."""

    epoch: int
    valid: float | None
    seconds: float
    curve: tuple[Row, ...]


def tune(
    model: nn.Module,
    read: Read,
    train: LabelledSamples,
    valid: LabelledSamples,
    settings: Tuning,
    folder: Path,
    select: Select,
    signals: Signals,
    scheduled: int | None = None,
) -> Tuned:
    """Train ``model`` in place, continuing from the newest checkpoint in ``folder``, and leave it as it was best.

    An epoch is as many whole batches as hold the training split; where it is no multiple of the batch, the last batch
    begins the next shuffle.

    Args:
        scheduled: rows whose epochs the schedule of the learning rate is made for; None: those of ``train``.

    Raises:
        Stopped: a signal came; a checkpoint holds what was done. FloatingPointError: the loss is not finite.
    """
    plan = plan_rows(settings, train.length)
    per_epoch = ceil(len(train) / plan.sequences)
    steps = per_epoch * settings.epochs
    problem = train.data.problem

    def validate() -> tuple[float | None, float]:
        found, labels = _answers(model, read, valid, plan.per_device)
        loss = float(classification(found, labels, problem))
        return select(valid.data.labels, _as_outputs(found, valid)), loss

    with quietly():
        folder.mkdir(parents=True, exist_ok=True)
        selection = Selection(folder / CURVE, per_epoch, validate)
        keeper = Keeper(folder / CHECKPOINTS, settings.checkpoints, steps, signals)
        trainer = make_trainer(
            settings.training(steps),
            callbacks=[Watching(signals), selection, keeper],
            accumulate_grad_batches=plan.accumulate,
        )
        loader = Loader(train, plan, steps, settings.workers, device=machine.device(settings.accelerator))
        if machine.device(settings.accelerator).type == "cpu":
            machine.keep_freed_memory()
        signals.patient = True
        try:
            schedule = ceil((scheduled or len(train)) / plan.sequences) * settings.epochs
            module = SequenceModel(model, read, problem, settings, schedule)
            trainer.fit(module, loader, ckpt_path=newest(folder / CHECKPOINTS), weights_only=True)
        finally:
            signals.patient = False
    if keeper.code:
        raise Stopped(keeper.code, f"stopped at step {trainer.global_step:,} of {steps:,}")
    selection.restore(model)
    return Tuned(selection.epoch, selection.best, selection.seconds, tuple(selection.rows))


def plan_rows(settings: Tuning, length: int) -> BatchPlan:
    """How a batch of rows is cut into micro-batches.

    >>> plan_rows(Tuning(batch=128), length=1024)
    BatchPlan(length=1024, sequences=128, world=1, per_device=16, accumulate=8)
    """
    per_device = settings.per_device or rows_at_once(settings.batch, length)
    if settings.batch % per_device:
        raise ValueError(f"per_device is {per_device}, expected a divisor of batch, {settings.batch}")
    return BatchPlan(length, settings.batch, 1, per_device, settings.batch // per_device)


def predict(model: nn.Module, read: Read, samples: LabelledSamples, rows: int = 64) -> np.ndarray:
    """Probabilities (n, classes) float64 of each row of a split; of regression the numbers in their own units."""
    return _as_outputs(_answers(model, read, samples, rows)[0], samples)


def _answers(model: nn.Module, read: Read, samples: LabelledSamples, rows: int) -> tuple[Tensor, Tensor]:
    """What the model says of each row, before any softmax (n, classes) float64, and the labels as it trains on them."""
    if samples.training:
        raise ValueError("predict goes over a split once, in its order; give samples that do not train")
    found, labels = [], []
    with evaluating(model) as device:
        for at in range(0, len(samples), rows):
            batch = collate([samples[i] for i in range(at, min(at + rows, len(samples)))])
            found.append(read(model(batch["input_ids"].to(device), batch["mask"].to(device))).double().cpu())
            labels.append(batch["labels"])
    return torch.cat(found), torch.cat(labels)


def _as_outputs(found: Tensor, samples: LabelledSamples) -> np.ndarray:
    if samples.data.problem == "single_label_classification":
        return np.asarray(found.softmax(1))
    if samples.data.problem == "multi_label_classification":
        return np.asarray(found.sigmoid())
    mean, deviation = samples.scale or (0.0, 1.0)
    return np.asarray(found) * deviation + mean
