"""The run: a model, samples and settings go in; a trained model, metrics.csv and checkpoints come out."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer

from caduceus.data import MaskedLMData, Score
from caduceus.interfaces import Backend
from caduceus.nn.model import Model
from caduceus.train.bar import Bar, say
from caduceus.train.batches import BatchPlan, plan_batches
from caduceus.train.journal import Journal
from caduceus.train.keeper import Keeper, WholeFiles, newest, step_of
from caduceus.train.loader import Loader, reader_died
from caduceus.train.loggers import loggers
from caduceus.train.machine import device, keep_freed_memory
from caduceus.train.means import means
from caduceus.train.metrics import MetricsFile
from caduceus.train.module import MaskedLanguageModel
from caduceus.train.ranks import process_rank
from caduceus.train.scoring import as_evaluated, score, spread
from caduceus.train.settings import Training
from caduceus.train.signals import Signals, Stopped
from caduceus.train.tuning_settings import Tuning
from caduceus.train.watching import Watching

METRICS, CHECKPOINTS = "metrics.csv", "checkpoints"


@dataclass(frozen=True)
class Fitted:
    """What a run came to: tokens seen and seconds trained, over all its parts."""

    tokens: int
    seconds: float


def fit(
    model: Model,
    train: MaskedLMData,
    valid: MaskedLMData,
    settings: Training,
    backend: Backend,
    folder: Path,
    signals: Signals,
    others: Sequence[Callback] = (),
) -> Fitted:
    """Train ``model`` in place, continuing from the newest checkpoint in ``folder``.

    Args:
        backend: whose kernels ``model`` computes with.
        others: callbacks that come after ours, once a step's row is written and its checkpoint kept.

    Raises:
        Stopped: a signal came, or the time was up; a checkpoint holds what was done.
        Unusable: there are checkpoints, and none that this run can continue from.
        FloatingPointError: the loss is not finite. OSError: a file could not be written, or a process that reads data
            died. MemoryError: a micro-batch does not fit.
    """
    with quietly():
        start = newest(folder / CHECKPOINTS)
        plan = plan_batches(settings.batch, train.windows.length, world_size(settings))
        loader = Loader(
            train, plan, settings.max_steps, worker_count(settings), process_rank(), device(settings.accelerator)
        )
        validate = _validator(model, valid, settings, plan, signals)
        now = partial(means, settings, precision(settings), backend)
        journal = Journal(MetricsFile(folder / METRICS), settings, plan, validate, lambda: loader.waited, now)
        keeper = Keeper(folder / CHECKPOINTS, settings.checkpoints, settings.max_steps, signals)
        trainer = make_trainer(
            settings,
            callbacks=[Watching(signals), journal, keeper, Bar(settings.max_steps, plan), *others],
            accumulate_grad_batches=plan.accumulate,
            logger=loggers(settings, folder, 0 if start is None else step_of(start)),
            default_root_dir=folder,
        )
        if start is not None:
            say(f"continuing from {start.name}")
        if device(settings.accelerator).type == "cpu":
            keep_freed_memory()
        signals.patient = True
        try:
            with _explained():
                trainer.fit(MaskedLanguageModel(model, settings, plan), loader, ckpt_path=start, weights_only=True)
        finally:
            signals.patient = False
    if keeper.code:
        raise Stopped(keeper.code, f"stopped at step {trainer.global_step:,}")
    return Fitted(trainer.global_step * plan.tokens, journal.seconds)


def world_size(settings: Training) -> int:
    """Devices of a run, over all nodes; ValueError if this machine, or the job on its cluster, does not have them."""
    try:
        with quietly():
            trainer = make_trainer(settings)
            cluster = getattr(trainer.strategy, "cluster_environment", None)
            if cluster is not None:
                cluster.validate_settings(trainer.num_devices, trainer.num_nodes)
            return int(trainer.world_size)
    except (MisconfigurationException, RuntimeError, ValueError) as error:
        raise ValueError(f"accelerator, devices, strategy or precision do not fit this machine: {error}") from error


def worker_count(settings: Training) -> int:
    """Processes that read data, per device."""
    if settings.workers != "auto":
        return settings.workers
    return min(8, os.cpu_count() or 1) if device(settings.accelerator).type == "cuda" else 0


def precision(settings: Training | Tuning) -> str:
    """The precision that "auto" stands for on this machine."""
    if settings.precision != "auto":
        return settings.precision
    return "bf16-mixed" if device(settings.accelerator).type == "cuda" else "32-true"


def make_trainer(settings: Training, **options: Any) -> Trainer:
    """Lightning's Trainer for ``settings``; all that it would write or show by itself is off."""
    return Trainer(
        accelerator=settings.accelerator,
        devices=settings.devices,
        num_nodes=settings.num_nodes,
        strategy=settings.strategy,
        precision=precision(settings),  # type: ignore[arg-type]
        max_steps=settings.max_steps,
        max_epochs=-1,
        gradient_clip_val=settings.optimiser.clip,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        plugins=[WholeFiles()],
        **{"logger": False, **options},
    )


@contextmanager
def _explained() -> Iterator[None]:
    """What torch raises as RuntimeError, said in terms of the run."""
    try:
        yield
    except RuntimeError as error:
        said = str(error)
        if "DataLoader worker" in said:
            raise reader_died(error) from error
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in said:
            raise MemoryError(
                f"a micro-batch does not fit into memory ({said.partition('. ')[0]}); lower batch.per_device, or set "
                "checkpoint_activations: true"
            ) from error
        raise


def _validator(
    model: Model, valid: MaskedLMData, settings: Training, plan: BatchPlan, signals: Signals
) -> Callable[[], Score | None]:
    """Scores this rank's share of the validation windows."""
    windows: np.ndarray = spread(len(valid), settings.validation.share)[process_rank() :: plan.world]

    def validate() -> Score | None:
        evaluated = as_evaluated(model, settings.protocol)
        return score(evaluated, valid, windows, plan.per_device, "validation", signals.asked_to_stop)

    return validate


@contextmanager
def quietly() -> Iterator[None]:
    """A block without Lightning's tips and notices; its errors come through."""
    logs = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")
            yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)
