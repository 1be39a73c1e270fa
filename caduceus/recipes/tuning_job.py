"""One training of one arm on one task: what it says of each test row goes to a file, and is not done again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from caduceus.checkpoint.finetuning import (
    CONJOINING,
    class_outputs,
    default_conjoining,
    finetuning_head,
    finetuning_model,
    freeze_backbone,
)
from caduceus.data.finetuning import LabelledSamples, target_scale
from caduceus.evaluate.cnn import CNN
from caduceus.evaluate.kmers import KmerRidge
from caduceus.evaluate.metrics import LOSSES, Predictions, score
from caduceus.nn.lora import add_lora
from caduceus.parts import Model
from caduceus.recipes.finetuning import Finetuning
from caduceus.recipes.tuning_data import TaskData
from caduceus.recipes.tuning_task import TaskFiles
from caduceus.train.files import written_whole
from caduceus.train.signals import Signals
from caduceus.train.tune import predict, tune

PREDICTIONS = "predictions.npz"


@dataclass(frozen=True)
class Base:
    """The network of a run, and its trained weights if it has any."""

    spec: Model
    weights: dict[str, np.ndarray] | None
    kernels: Any


@dataclass(frozen=True)
class Job:
    """One arm on one task with one seed; its files go to ``folder``."""

    recipe: Finetuning
    files: TaskFiles
    data: TaskData
    base: Base
    arm: str
    seed: int
    folder: Path


def run_job(job: Job, signals: Signals) -> Predictions:
    """What the arm says of the test split after training; from its file if that is there."""
    path, test = job.folder / PREDICTIONS, job.data.test
    if not path.is_file():
        outputs = _trained(job, signals)
        job.folder.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as file:
            np.savez(file, outputs=outputs)
    with np.load(path, allow_pickle=False) as held:
        return Predictions(test.labels, held["outputs"], test.problem)


def _trained(job: Job, signals: Signals) -> np.ndarray:
    data = job.data
    if job.arm == "kmers":
        return KmerRidge().fit(data.train).predict(data.test).outputs
    model, read, reverses = _network(job)
    make = partial(
        LabelledSamples,
        length=data.length,
        protocol=job.recipe.protocol,
        n_as=job.base.spec.n_as,
        seed=job.seed,
        scale=target_scale(data.train),
    )
    train = make(data.train, training=True, reverses=reverses)
    settings = job.recipe.model_copy(update={"seed": job.seed})
    tune(model, read, train, make(data.valid), settings, job.folder, _selecting(job.files), signals)
    return predict(model, read, make(data.test))


def _network(job: Job) -> tuple[Any, Callable[[Any], Any], bool]:
    """The network to train, what reads its outputs, and whether half of its training sequences are reversed."""
    recipe, spec, outputs = job.recipe, job.base.spec, len(job.data.train.classes)
    if job.arm == "cnn":
        return CNN(max(job.data.length, CNN.shortest), outputs, seed=job.seed), _as_it_is, False
    readout = job.files.readout
    conjoining = recipe.conjoining or default_conjoining(spec, readout)
    head = finetuning_head(spec, outputs, readout=readout, conjoining=conjoining, pooling=recipe.pooling)
    weights = job.base.weights if job.arm == "model" else None
    model = finetuning_model(spec, head, weights, seed=job.seed, backend=job.base.kernels)
    if job.arm == "model" and recipe.tuned == "probe":
        freeze_backbone(model)
    if job.arm == "model" and recipe.tuned == "lora":
        add_lora(model, rank=recipe.adapters.rank, alpha=recipe.adapters.alpha, seed=job.seed)
    return model, partial(class_outputs, head=head), CONJOINING[conjoining].reverses


def _as_it_is(outputs: Any) -> Any:
    return outputs


def _selecting(files: TaskFiles) -> Callable[[np.ndarray, np.ndarray], float | None]:
    """The score that the best epoch is chosen by, larger is better."""
    name = files.measured

    def select(truth: np.ndarray, outputs: np.ndarray) -> float | None:
        found = score(name, Predictions(truth, outputs, files.problem))
        return -found if found is not None and name in LOSSES else found

    return select
