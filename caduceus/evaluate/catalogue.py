"""The benchmark suites: every task, its protocol, what is published on it, and where its files are.

The tables themselves are YAML files in ``suites/``, one a suite; here is what they mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import filter as matching
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from caduceus.hub import from_hub

Metric = Literal["accuracy", "mcc", "f1", "macro_f1", "auroc", "auprc", "mae", "r2", "pearson", "spearman"]
SUITES = ("genomic_benchmarks", "nucleotide_transformer", "gue")


class _Fields(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Task(_Fields):
    """One task of a suite.

    Attributes:
        classes: their names in alphabetical order, or how many there are, named 0, 1, ...
        max_length: bases; the authors cut longer sequences at the end.
        rows: how many rows the official split has, for those of its parts that are known.
        metric: the official one.
        strand: "free" if a sequence and its reverse complement have the same label, "oriented" if the label is about
            the strand that is given: there an invariant model cannot see what an equivariant one can.
        published: model -> (score,) or (score, largest minus smallest over the seeds).
    """

    classes: tuple[str, ...] | int
    max_length: int = Field(gt=0)
    rows: dict[str, int] = {}
    metric: Metric
    strand: Literal["free", "oriented"]
    published: dict[str, tuple[float] | tuple[float, float]] = {}

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of the ids."""
        return tuple(map(str, range(self.classes))) if isinstance(self.classes, int) else self.classes


class Official(_Fields):
    """How the authors train on a suite.

    Attributes:
        lr, batch: the grid that they choose from by validation.
        validation: "torch" and "hub" split off a tenth of training by a seed, as torch's random_split and Hugging
            Face's train_test_split do.
        schedule: the rows whose steps the schedule of the learning rate is made for. The training ends before it, as
            it does without the validation's tenth, and without the test split.
    """

    epochs: int
    seeds: tuple[int, ...]
    lr: tuple[float, ...]
    batch: tuple[int, ...]
    validation: Literal["torch", "hub"]
    schedule: Literal["train", "train and test"]


class Comparable(_Fields):
    """Under which protocol a score here may stand beside the published ones.

    Attributes:
        why: how the published scores were made, so why they are not comparable under the other protocol.
    """

    official: bool = False
    sound: bool = False
    why: str


class Hub(_Fields):
    """Where a suite is on the Hugging Face hub.

    Attributes:
        repository: of data sets, one for the suite or, by {task}, one for each task.
        places: where a split may lie in it, by {task}, {name} and {split}; * stands for anything.
        revision: null: the newest.
        names: task -> {name}, for those that are called otherwise there.
    """

    repository: str
    places: tuple[str, ...]
    revision: str | None = None
    names: dict[str, str] = {}


class Suite(_Fields):
    """A suite of tasks.

    Attributes:
        download: where to get it.
        places: where a split of a task may lie below the suite's folder, by {task}, {folder} and {split}.
        official: how the authors of Caduceus train on it; null if they have not.
        validates: whether each task has a split for validation, called dev.
        sources: published numbers -> where they come from.
    """

    title: str
    download: str
    hub: Hub
    places: tuple[str, ...]
    official: Official | None
    comparable: Comparable
    validates: bool = False
    sources: dict[str, str]
    tasks: dict[str, Task]

    def task(self, name: str) -> Task:
        """A task by name; ValueError lists the names."""
        if name not in self.tasks:
            raise ValueError(f"{self.title} has no task {name!r}, expected one of {', '.join(self.tasks)}")
        return self.tasks[name]

    def find(self, task: str, split: str, folder: Path) -> Path:
        """The file or folder of a split.

        Raises:
            FileNotFoundError: it is not there; the message says what to download and where to put it.
        """
        self.task(task)
        candidates = list(self._candidates(task, split, folder))
        for path in candidates:
            if path.exists():
                return path
        raise FileNotFoundError(
            f"{self.title}, task {task}: no {split} split in {folder}.\nDownload it: {self.download}.\n"
            f"Put it there: {candidates[0]}, or one of {', '.join(path.name for path in candidates[1:])} beside it."
            "\nOr bring it from the hub, with the extra hub and a network: folder: hub"
        )

    def holds(self, task: str, folder: Path) -> bool:
        """Whether every split of a task is there."""
        splits = ("train", "dev", "test") if self.validates else ("train", "test")
        return all(any(path.exists() for path in self._candidates(task, split, folder)) for split in splits)

    def _candidates(self, task: str, split: str, folder: Path) -> Iterator[Path]:
        for place in self.places:
            yield folder / place.format(task=task, folder=task.replace("_", "/", 1), split=split)


@cache
def suite(name: str) -> Suite:
    """A suite by name.

    >>> suite("gue").task("tf_2").published
    {'DNABERT-2 117M': (0.665,)}
    """
    if name not in SUITES:
        raise ValueError(f"suite is {name!r}, expected one of {', '.join(SUITES)}")
    text = files("caduceus.evaluate").joinpath("suites").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return Suite.model_validate(yaml.safe_load(text))


def fetch(name: str, task: str, split: str, revision: str | None = None) -> Path:
    """A split of a task from the hub, into its cache; needs the extra ``hub`` and a network.

    Raises:
        ValueError: no such task.
        FileNotFoundError: nothing came, or the repository does not have one such file; the message says what to do.
    """
    found = suite(name)
    found.task(task)
    repository = found.hub.repository.format(task=task)
    revision = revision or found.hub.revision
    told: dict[str, str | None] = {"repo_type": "dataset", "revision": revision}
    advice = f"Download it by hand, and give its folder: {found.download}"
    there = from_hub(repository, lambda hub: hub.list_repo_files(repository, **told), advice)
    wanted = [place.format(task=task, name=found.hub.names.get(task, task), split=split) for place in found.hub.places]
    held: list[str] = next(filter(None, (matching(there, place) for place in wanted)), [])
    if len(held) != 1:
        raise FileNotFoundError(
            f"{repository} holds {', '.join(held) or 'nothing'} for {', '.join(wanted)}, expected one file.\n{advice}"
        )
    return Path(from_hub(repository, lambda hub: hub.hf_hub_download(repository, held[0], **told), advice))
