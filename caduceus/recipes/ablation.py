"""The recipe of an ablation, as data: pretraining runs that differ in what is asked about, and in nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from caduceus.parts import Model
from caduceus.recipes.errors import closest, explain
from caduceus.recipes.pretraining import Pretraining
from caduceus.recipes.run_dir import RunFolder
from caduceus.recipes.schema import Recipe, Results, Seeds
from caduceus.weights import owned

RUNS = "runs"


class Ablation(Recipe):
    """Pretraining runs of several members, each with every seed: equal tokens, and equal parameters within a share.

    A seed gives the runs of all members the same order of windows and the same masks, and held-out sequence is the same
    for all: results are paired by seed.

    Attributes:
        base: fields of a pretraining recipe that all members share.
        members: name -> the fields in which it differs; mappings are merged, a ``model`` takes the place of the base's.
        seeds: of the repetitions.
        contrasts: pairs of members to be compared, the second being what the first is compared with.
        parameters_within: largest share by which the members' parameters may differ.
    """

    in_ranks = True

    task: Literal["ablation"]
    base: dict[str, Any]
    members: dict[str, dict[str, Any]] = Field(min_length=1)
    seeds: Seeds = (0, 1, 2)
    contrasts: tuple[tuple[str, str], ...] = ()
    parameters_within: float = Field(default=0.05, ge=0)

    @model_validator(mode="after")
    def _comparable(self) -> Ablation:
        recipes = {name: self.recipe(name, self.seeds[0]) for name in self.members}
        unknown = {name for pair in self.contrasts for name in pair} - recipes.keys()
        if unknown:
            name = sorted(unknown)[0]
            raise ValueError(f"contrasts names {name!r}, which is no member{closest(name, recipes)}")
        tokens = {name: recipe.max_steps * recipe.batch.tokens for name, recipe in recipes.items()}
        if len(set(tokens.values())) > 1:
            raise ValueError(f"members see different numbers of tokens, {_listed(tokens)}; give max_steps in base")
        sizes = {name: parameters(recipe.spec) for name, recipe in recipes.items()}
        if max(sizes.values()) > (1 + self.parameters_within) * min(sizes.values()):
            raise ValueError(
                f"members' parameters differ by more than {self.parameters_within:.0%}: {_listed(sizes)}; "
                "change the depth of some, or parameters_within"
            )
        return self

    def recipe(self, member: str, seed: int) -> Pretraining:
        """The pretraining recipe of one run; ValueError says which fields are wrong."""
        data = _merged({"backend": self.backend, **self.base}, self.members[member])
        data |= {"task": "pretrain", "name": f"{self.name}-{member}-seed{seed}", "seed": seed}
        try:
            return Pretraining.model_validate(data)
        except ValidationError as error:
            raise ValueError(f"member {member}: {explain(error, Pretraining, data)}") from error

    def identity(self) -> str:
        """As of every recipe; what changes nothing in a run changes nothing in all of them."""
        members = {member: _bound(changes) for member, changes in self.members.items()}
        return Recipe.identity(self.model_copy(update={"base": _bound(self.base), "members": members}))

    def folders(self, folder: RunFolder) -> Iterator[tuple[str, int, RunFolder]]:
        """Member, seed and run folder of every run, all members of a seed before the next seed."""
        for seed in self.seeds:
            for member in self.members:
                yield member, seed, RunFolder(self.recipe(member, seed), run_path(folder.path, member, seed))

    def check(self) -> None:
        from caduceus.recipes.ablate import check

        check(self)

    def run(self, folder: RunFolder) -> Results:
        from caduceus.recipes.ablate import run

        return run(self, folder)

    def summary(self, folder: RunFolder, results: Results) -> str:
        from caduceus.recipes.ablation_report import summary

        return summary(self, folder, results)


def run_path(folder: Path, member: str, seed: int) -> Path:
    """Where a run of an ablation lies."""
    return folder / RUNS / f"{member}-seed{seed}"


def parameters(spec: Model) -> int:
    """Numbers that are trained, tied ones once; those of third parties' parts are not declared and not counted."""
    return sum(prod(weight.shape) for weight in owned(spec.weights()).values())


def _bound(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in Pretraining.unbound}


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Mappings merged, at every depth; a model is one thing and is replaced.

    >>> _merged({"batch": {"tokens": 8, "each": 1}, "model": {"a": 1}}, {"batch": {"tokens": 4}, "model": {"b": 2}})
    {'batch': {'tokens': 4, 'each': 1}, 'model': {'b': 2}}
    """
    found = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(found.get(key), dict) and key != "model"
        found[key] = _merged(found[key], value) if both else value
    return found


def _listed(numbers: dict[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in numbers.items())
