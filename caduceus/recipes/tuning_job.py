"""One training of one arm on one task: what it says of each test row goes to a file, and is not done again."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from caduceus.data.finetuning import LabelledSamples, target_scale
from caduceus.evaluate import cnn
from caduceus.evaluate.catalogue import suite
from caduceus.evaluate.kmers import KmerRidge
from caduceus.evaluate.metrics import LOSSES, Predictions, score
from caduceus.recipes.errors import Refused
from caduceus.recipes.finetuning import Cell, Finetuning
from caduceus.recipes.tuning_data import TaskData
from caduceus.recipes.tuning_model import Base, keep_model, network
from caduceus.recipes.tuning_task import TaskFiles
from caduceus.train.files import written_whole
from caduceus.train.fit import CHECKPOINTS
from caduceus.train.signals import Signals
from caduceus.train.tune import predict, tune
from caduceus.train.tuning_settings import Tuning

PREDICTIONS = "predictions.npz"


@dataclass(frozen=True, eq=False)
class Job:
    """One arm on one task with one seed.

    Attributes:
        cell: learning rate and batch, for an arm that a grid is tried with.
        run: the folder of the run.
    """

    recipe: Finetuning
    task: str
    arm: str
    seed: int
    cell: Cell | None
    run: Path

    @property
    def name(self) -> str:
        """Such as ``tf_2/model-1``; with a grid ``tf_2/model-1-lr0.002-batch256``."""
        tried = "" if self.cell is None else f"-lr{self.cell.lr:g}-batch{self.cell.batch}"
        return f"{self.task}/{self.arm}-{self.seed}{tried}"

    @property
    def folder(self) -> Path:
        """Where its files go."""
        return self.run / "tasks" / self.name

    @property
    def done(self) -> bool:
        return (self.folder / PREDICTIONS).is_file()

    @property
    def files(self) -> TaskFiles:
        return self.recipe.tasks[self.task]

    def settings(self) -> Tuning:
        """What the training is told. The authors' CNN has its own, or at least as many epochs, and reads a batch whole:
        its batch normalisation is over the rows that are read at once.
        """
        recipe = self.recipe
        told: dict[str, object] = {"seed": self.seed, "epochs": self.files.epochs or recipe.epochs}
        if self.arm == "cnn" and recipe.protocol == "official":
            told |= {"epochs": cnn.EPOCHS, "batch": cnn.BATCH, "per_device": cnn.BATCH}
            told["optimiser"] = recipe.optimiser.model_copy(update={"lr": cnn.LR})
        elif self.arm == "cnn":
            told |= {"epochs": max(self.files.epochs or recipe.epochs, cnn.EPOCHS), "per_device": recipe.batch}
        elif self.cell is not None:
            told |= {"batch": self.cell.batch}
            told["optimiser"] = recipe.optimiser.model_copy(update={"lr": self.cell.lr})
        return recipe.model_copy(update=told)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a finished job left.

    Attributes:
        outputs: of each test row.
        valid: the score by which its epoch was chosen, larger is better; None if it has none.
        epoch: that was chosen. seconds: of training. Both 0 for what is not trained by epochs.
        tested: the sha256 of the test split, as `TaskData.tested` has it; None where it was not written.
    """

    outputs: np.ndarray
    valid: float | None
    epoch: int
    seconds: float
    tested: str | None = None

    @classmethod
    def read(cls, job: Job, data: TaskData) -> Outcome:
        """Of a job that is done; Refused where it is not of the test split of ``data``."""
        with np.load(job.folder / PREDICTIONS, allow_pickle=False) as held:
            valid = float(held["valid"])
            found = cls(
                held["outputs"],
                valid if np.isfinite(valid) else None,
                int(held["epoch"]),
                float(held["seconds"]),
                (str(held["tested"]) or None) if "tested" in held else None,
            )
        shape = (len(data.test), len(data.test.classes))
        if found.tested not in (None, data.tested) or found.outputs.shape != shape:
            raise Refused(
                f"{job.folder / PREDICTIONS} holds what job {job.name} said of another test split, expected the "
                f"{shape[0]:,} rows and {shape[1]} classes of {data.test.table.source} as they are now; put the files "
                "back that the run began with, or give another folder by --out"
            )
        return found

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        valid = np.nan if self.valid is None else self.valid
        with written_whole(folder / PREDICTIONS) as file:
            np.savez(
                file,
                outputs=self.outputs,
                valid=valid,
                epoch=self.epoch,
                seconds=self.seconds,
                tested=self.tested or "",
            )


def all_jobs(recipe: Finetuning, run: Path) -> Iterator[Job]:
    """Every job of a run, task by task."""
    for task in recipe.tasks:
        for arm in recipe.arms:
            tried = recipe.cells if recipe.grid is not None and arm in ("model", "untrained") else (None,)
            # The ridge regression draws nothing: one of it is all.
            for seed in recipe.seeds[:1] if arm == "kmers" else recipe.seeds:
                for cell in tried:
                    yield Job(recipe, task, arm, seed, cell, run)


def run_job(job: Job, data: TaskData, base: Base, signals: Signals) -> None:
    """Train and predict, unless it is done; of the model itself the weights are kept too."""
    if job.done:
        return
    own = data.for_seed(job.seed)
    replace(_trained(job, own, base, signals), tested=data.tested).write(job.folder)
    # The weights that were best are kept, if any are; from these no training goes on.
    shutil.rmtree(job.folder / CHECKPOINTS, ignore_errors=True)


def _trained(job: Job, data: TaskData, base: Base, signals: Signals) -> Outcome:
    if job.arm == "kmers":
        return Outcome(KmerRidge().fit(data.train).predict(data.test).outputs, None, 0, 0.0)
    recipe, files = job.recipe, job.files
    built = network(recipe, files, data, base, job.arm, job.seed)
    make = partial(
        LabelledSamples,
        length=data.length,
        protocol=recipe.protocol,
        n_as=base.spec.n_as,
        seed=job.seed,
        scale=target_scale(data.train),
    )
    # The authors cut and pad each strand that is averaged on its own; with masks the model mirrors the one it is given.
    mode, official = built.mode, recipe.protocol == "official"
    train = make(data.train, training=True, reverses=mode.reverses, pairs=official and mode.conjoin == "always")
    held = partial(make, pairs=official and mode.conjoin != "none")
    select = _selecting(files)
    rows, settings = _scheduled(recipe, files, data), job.settings()
    tuned = tune(built.model, built.read, train, held(data.valid), settings, job.folder, select, signals, rows)
    outputs = predict(built.model, built.read, held(data.test))
    if job.arm == "model":
        keep_model(built, job.folder, files, data, recipe.tuned)
    return Outcome(outputs, tuned.valid, tuned.epoch, tuned.seconds)


def _scheduled(recipe: Finetuning, files: TaskFiles, data: TaskData) -> int | None:
    """Rows that the schedule is made for where the authors do not take those that they train on."""
    official = None if files.suite is None or recipe.protocol != "official" else suite(files.suite).official
    if official is None or data.whole is None:
        return None
    return len(data.whole) + (len(data.test) if official.schedule == "train and test" else 0)


def _selecting(files: TaskFiles) -> Callable[[np.ndarray, np.ndarray], float | None]:
    """The score that the best epoch is chosen by, larger is better."""
    name = files.measured

    def select(truth: np.ndarray, outputs: np.ndarray) -> float | None:
        found = score(name, Predictions(truth, outputs, files.problem))
        return -found if found is not None and name in LOSSES else found

    return select
