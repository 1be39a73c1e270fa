"""What every recipe is: validated fields, of a kind that `task` names."""

from __future__ import annotations

import hashlib
import importlib
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import yaml
from pydantic import AfterValidator, Field

from caduceus.recipes.errors import Refused, closest
from caduceus.train.settings import Settings

if TYPE_CHECKING:
    from caduceus.recipes.run_dir import RunFolder

# task: class. A further kind of recipe is a further line and a module.
KINDS = {
    "ablation": "caduceus.recipes.ablation:Ablation",
    "bench": "caduceus.recipes.bench:Bench",
    "bench_variants": "caduceus.recipes.variant_bench:VariantBench",
    "embed": "caduceus.recipes.embedding:Embedding",
    "evaluate": "caduceus.recipes.evaluation:Evaluation",
    "finetune": "caduceus.recipes.finetuning:Finetuning",
    "mutagenesis": "caduceus.recipes.mutagenesis:Mutagenesis",
    "pretrain": "caduceus.recipes.pretraining:Pretraining",
    "regions": "caduceus.recipes.region_scoring:RegionScoring",
    "variants": "caduceus.recipes.variant_scoring:VariantScoring",
    "vep_eqtl": "caduceus.recipes.vep_eqtl:VepEqtl",
}

Results = dict[str, Any]


def _each_once(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds are {list(seeds)}, expected each once: a run done twice is no repetition")
    return seeds


Seeds = Annotated[tuple[int, ...], Field(min_length=1), AfterValidator(_each_once)]
"""Of repetitions: one training each."""


class Recipe(Settings):
    """The base of every kind.

    Attributes:
        task: the kind.
        name: of the run; that of the file if not given.
        about: one line, shown by ``list``.
        backend: as `caduceus.build` takes it.
    """

    in_ranks: ClassVar[bool] = False
    """Whether a run may be done by several processes, a device each, of which the first one writes."""

    task: str
    name: str = Field(pattern=r"^[\w.-]+$")
    about: str = ""
    backend: str = "auto"

    def to_yaml(self) -> str:
        """Every field, those that were not given too; reading it gives an equal recipe."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)

    def identity(self) -> str:
        """The same without the fields that change nothing in what comes out: recipes that share it share a run."""
        bound = self.model_dump(mode="json", exclude=set(self.unbound))
        return yaml.safe_dump(bound, sort_keys=False, allow_unicode=True, width=120)

    @property
    def digest(self) -> str:
        """8 hex digits that name the run of the resolved recipe."""
        return hashlib.sha256(self.identity().encode()).hexdigest()[:8]

    def check(self) -> None:
        """Do everything short of reading data and training, print what was found, and write nothing."""
        raise NotImplementedError

    def run(self, folder: RunFolder) -> Results:
        """Do it, into ``folder``; continue what is there."""
        raise NotImplementedError

    def summary(self, folder: RunFolder, results: Results) -> str:
        """What to print at the end, again each time a finished run is asked for."""
        raise NotImplementedError


def kind_of(task: Any) -> type[Recipe]:
    """The class of a kind of recipe; Refused names the closest."""
    if task not in KINDS:
        raise Refused(f"task is {task!r}, which is no kind of recipe{closest(str(task), KINDS)}")
    module, _, name = KINDS[task].partition(":")
    found: type[Recipe] = getattr(importlib.import_module(module), name)
    return found
