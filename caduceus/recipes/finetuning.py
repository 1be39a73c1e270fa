"""The recipe of fine-tuning on labelled sequences, as data: tasks, a model, and what it must be better than."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from caduceus import zoo
from caduceus.checkpoint.finetuning import Conjoining
from caduceus.parts import Model
from caduceus.parts.heads import Pooling
from caduceus.recipes.run_dir import RunFolder
from caduceus.recipes.schema import Recipe, Results
from caduceus.recipes.tuning_task import TaskFiles, suite_tasks
from caduceus.spec import parse_spec
from caduceus.train.settings import Settings
from caduceus.train.tuning_settings import Tuning

Baseline = Literal["untrained", "cnn", "kmers"]


class Adapters(Settings):
    """Low-rank adapters; see `caduceus.nn.lora`."""

    rank: int = Field(default=8, gt=0)
    alpha: float = Field(default=16.0, gt=0)


class Finetuning(Tuning, Recipe):
    """Training on labelled sequences, over several seeds, beside baselines on the same rows.

    Attributes:
        tasks: name -> files and columns; with ``suite``, fields to set for some of its tasks.
        suite: a benchmark suite of `caduceus.evaluate.catalogue`. folder: where its files are; also looked for in
            CADUCEUS_DATA. only: the tasks of it to do; null: all.
        pretrained: folder of a trained model, or its name on the hub; null trains ``model`` from random weights.
        model: a name of `caduceus.zoo`, or the fields of a `parts.Model`; of ``pretrained`` it is known.
        tuned: "full", "probe" (the head alone on frozen features) or "lora".
        conjoining: of plain models, see docs/fine_tuning.md; null: "test" for ph models, where the label allows it.
        seeds: one training each; ``seed`` is that of the part held out for validation.
        baselines: "untrained": the same network from random weights; "cnn": the paper's; "kmers": ridge regression on
            RC-canonical k-mers.
        resamples: of the bootstrap.
    """

    task: Literal["finetune"]
    tasks: dict[str, TaskFiles] = Field(min_length=1)
    suite: str | None = None
    folder: str | None = None
    only: tuple[str, ...] | None = None
    pretrained: str | None = None
    model: str | dict[str, Any] | None = None
    tuned: Literal["full", "probe", "lora"] = "full"
    adapters: Adapters = Adapters()
    conjoining: Conjoining | None = None
    pooling: Pooling = "mean"
    seeds: tuple[int, ...] = Field(default=(1, 2, 3), min_length=1)
    baselines: tuple[Baseline, ...] = ("untrained", "cnn", "kmers")
    resamples: int = Field(default=1000, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _suite(cls, data: Any) -> Any:
        """The tasks of the suite filled in, so that the resolved recipe says everything; those filled in stay."""
        if not isinstance(data, dict) or data.get("suite") is None:
            return data
        if data.get("folder") is None:
            raise ValueError("suite: give folder too, where its files are")
        tasks = suite_tasks(
            data["suite"], data["folder"], data.get("only"), data.get("tasks") or {}, data.get("protocol", "sound")
        )
        return {**data, "tasks": tasks, "only": list(tasks)}

    @field_validator("model")
    @classmethod
    def _resolved(cls, given: str | dict[str, Any] | None) -> str | dict[str, Any] | None:
        """A spec with every field, so that the resolved recipe says everything; a name stays a name."""
        return given if given is None or isinstance(given, str) else _model(given).to_dict()

    @model_validator(mode="after")
    def _one_model(self) -> Finetuning:
        if (self.pretrained is None) == (self.model is None):
            raise ValueError(
                "give either pretrained, the folder of a trained model, or model, a network to train from nothing"
            )
        if self.tuned != "full" and self.pretrained is None:
            raise ValueError(
                f"tuned is {self.tuned!r}, which is for a pretrained model; give pretrained, or tuned: full"
            )
        if self.model is not None:
            _model(self.model)
        return self

    @property
    def arms(self) -> tuple[str, ...]:
        """What is trained on each task: "model", then the baselines that say something beside it."""
        return ("model", *(each for each in self.baselines if each != "untrained" or self.pretrained is not None))

    def spec(self) -> Model:
        """The network of ``model``."""
        if self.model is None:
            raise ValueError("the recipe has no model of its own")
        return _model(self.model)

    def check(self) -> None:
        from caduceus.recipes.finetune import check

        check(self)

    def run(self, folder: RunFolder) -> Results:
        from caduceus.recipes.finetune import run

        return run(self, folder)

    def summary(self, folder: RunFolder, results: Results) -> str:
        from caduceus.recipes.tuning_results import TABLE, markdown

        return f"\n{markdown(results)}\nrun folder  {folder.path}\ntable       {folder.path / TABLE}.md, .csv"


def _model(given: str | dict[str, Any]) -> Model:
    spec = zoo.spec(given) if isinstance(given, str) else parse_spec(given)
    if not isinstance(spec, Model):
        raise ValueError(f"model is a {spec.kind_name}, expected a model")
    return spec
