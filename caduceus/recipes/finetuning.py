"""The recipe of fine-tuning on labelled sequences, as data: tasks, a model, and what it must be better than."""

from __future__ import annotations

from itertools import product
from typing import Any, Literal, NamedTuple

from pydantic import Field, field_validator, model_validator

from caduceus import zoo
from caduceus.checkpoint.finetuning import Conjoining
from caduceus.evaluate.catalogue import suite
from caduceus.parts import Model
from caduceus.parts.heads import Pooling
from caduceus.recipes.run_dir import RunFolder
from caduceus.recipes.schema import Recipe, Results, Seeds
from caduceus.recipes.tuning_task import TaskFiles, suite_tasks
from caduceus.spec import parse_spec
from caduceus.train.settings import Settings
from caduceus.train.tuning_settings import Tuning

Baseline = Literal["untrained", "cnn", "kmers"]


class Adapters(Settings):
    """Low-rank adapters; see `caduceus.nn.lora`."""

    rank: int = Field(default=8, gt=0)
    alpha: float = Field(default=16.0, gt=0)


class Cell(NamedTuple):
    """A learning rate and a batch."""

    lr: float
    batch: int


class Grid(Settings):
    """Learning rates and batches of which every pair is tried; the one that validates best on average counts."""

    lr: tuple[float, ...] = Field(min_length=1)
    batch: tuple[int, ...] = Field(min_length=1)


class Finetuning(Tuning, Recipe):
    """Training on labelled sequences, over several seeds, beside baselines on the same rows.

    Attributes:
        tasks: name -> files and columns; with ``suite``, fields to set for some of its tasks.
        suite: a benchmark suite of `caduceus.evaluate.catalogue`. folder: where its files are, also looked for in
            CADUCEUS_DATA; "hub" brings them. only: the tasks of it to do, or the one; "present": those whose files are
            all there; null: all.
        genome, partial: of every task that has none of its own, as in `TaskFiles`.
        model: a trained model, by its folder or its name on the hub; or what to train from random weights, a name of
            `caduceus.zoo` or the fields of a `parts.Model`.
        tuned: "full", "probe" (the head alone on frozen features) or "lora".
        conjoining: of plain models, see docs/fine_tuning.md; null: "test" for ph models, where the label allows it.
        seeds: one training each; ``seed`` is that of the part held out for validation, which the official protocol
            draws anew for each of ``seeds``.
        baselines: "untrained": the same network from random weights; "cnn": the paper's; "kmers": ridge regression on
            RC-canonical k-mers.
        grid: of the model, and of the same from random weights, in place of ``optimiser.lr`` and ``batch``; the
            authors' where the official protocol has one. null: none.
        contrasts: pairs of tasks that are tested on the same rows, such as with another readout: by how much the model
            is better on the first.
        resamples: of the bootstrap.
        jobs: trainings side by side, each a process with ``threads``; null: as many as the cores allow, on a CPU.
    """

    unbound = frozenset({"checkpoints", "workers", "jobs"})

    task: Literal["finetune"]
    tasks: dict[str, TaskFiles] = Field(min_length=1)
    suite: str | None = None
    folder: str | None = None
    only: tuple[str, ...] | Literal["present"] | None = None
    genome: str | None = None
    partial: bool = False
    model: str | dict[str, Any]
    tuned: Literal["full", "probe", "lora"] = "full"
    adapters: Adapters = Adapters()
    conjoining: Conjoining | None = None
    pooling: Pooling = "mean"
    seeds: Seeds = (1, 2, 3)
    baselines: tuple[Baseline, ...] = ("untrained", "cnn", "kmers")
    grid: Grid | None = None
    contrasts: tuple[tuple[str, str], ...] = ()
    resamples: int = Field(default=1000, ge=0)
    jobs: int | None = Field(default=None, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, data: Any) -> Any:
        """The tasks and the grid of the suite filled in, so that the resolved recipe says everything; those stay."""
        if not isinstance(data, dict):
            return data
        shared = {name: data[name] for name in ("genome", "partial") if data.get(name)}
        if data.get("suite") is None:
            tasks = data.get("tasks")
            if shared and isinstance(tasks, dict):
                tasks = {name: shared | task if isinstance(task, dict) else task for name, task in tasks.items()}
            return data | {"tasks": tasks}
        if data.get("folder") is None:
            raise ValueError("suite: give folder too, where its files are")
        protocol = data.get("protocol", "sound")
        tasks = suite_tasks(data["suite"], data["folder"], data.get("only"), data.get("tasks") or {}, protocol, shared)
        filled = {**data, "tasks": tasks, "only": list(tasks)}
        authors = suite(data["suite"]).official
        if protocol == "official" and authors is not None and "grid" not in data:
            filled["grid"] = {"lr": list(authors.lr), "batch": list(authors.batch)}
        return filled

    @field_validator("model")
    @classmethod
    def _resolved(cls, given: str | dict[str, Any]) -> str | dict[str, Any]:
        """A spec with every field, so that the resolved recipe says everything; a name stays a name."""
        return given if isinstance(given, str) else _network(given).to_dict()

    @model_validator(mode="after")
    def _consistent(self) -> Finetuning:
        if self.tuned != "full" and self.pretrained is None:
            raise ValueError(
                f"tuned is {self.tuned!r}, which is for a trained model; give its folder as model, or tuned: full"
            )
        for pair in self.contrasts:
            if unknown := [name for name in pair if name not in self.tasks]:
                raise ValueError(f"contrasts name {unknown[0]!r}, expected one of {', '.join(self.tasks)}")
            if len({self.tasks[name].measured for name in pair}) > 1:
                raise ValueError(f"contrasts compare {' and '.join(pair)}, which have different metrics; give them one")
        for cell in self.cells:
            if self.per_device and cell.batch % self.per_device:
                raise ValueError(f"per_device is {self.per_device}, expected a divisor of batch, {cell.batch}")
        return self

    @property
    def pretrained(self) -> str | None:
        """The folder of the trained model, or its name on the hub; None for a network from random weights."""
        return self.model if isinstance(self.model, str) and self.model not in zoo.names() else None

    @property
    def arms(self) -> tuple[str, ...]:
        """What is trained on each task: "model", then the baselines that say something beside it."""
        return ("model", *(each for each in self.baselines if each != "untrained" or self.pretrained is not None))

    @property
    def cells(self) -> tuple[Cell, ...]:
        """What the model is trained with: the grid, or the one pair of the recipe."""
        if self.grid is None:
            return (Cell(self.optimiser.lr, self.batch),)
        return tuple(Cell(*pair) for pair in product(self.grid.lr, self.grid.batch))

    def spec(self) -> Model:
        """The network that is trained from random weights."""
        if self.pretrained is not None:
            raise ValueError(f"model is {self.pretrained}, whose network its folder tells")
        return _network(self.model)

    def check(self) -> None:
        from caduceus.recipes.finetune import check

        check(self)

    def run(self, folder: RunFolder) -> Results:
        from caduceus.recipes.finetune import run

        return run(self, folder)

    def summary(self, folder: RunFolder, results: Results) -> str:
        from caduceus.recipes.tuning_table import summary

        return summary(folder, results)


def _network(given: str | dict[str, Any]) -> Model:
    spec = zoo.spec(given) if isinstance(given, str) else parse_spec(given)
    if not isinstance(spec, Model):
        raise ValueError(f"model is a {spec.kind_name}, expected a model")
    return spec
