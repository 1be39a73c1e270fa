"""What the runs of the recipes that ask a trained model share: how the model is introduced, and how a folder begins."""

from __future__ import annotations

from typing import Any

from caduceus.predict.models import inner_spec
from caduceus.recipes.asking import Asking
from caduceus.recipes.environment import surroundings
from caduceus.recipes.run_dir import RunFolder
from caduceus.train.bar import say
from caduceus.train.machine import kernels
from caduceus.train.properties import assert_declared


def begin(recipe: Asking, files: dict[str, str], folder: RunFolder) -> None:
    """Write down where the run takes place; Refused if it began with other files."""
    now = surroundings(kernels(recipe.backend, recipe.accelerator).name, recipe.accelerator, files)
    folder.refuse_other_files(now["data"])
    folder.begin(now)


def introduce(recipe: Asking, model: Any) -> None:
    """Say what is done and by which model, with the properties that it declares asserted."""
    say(f"{recipe.name}: {recipe.about}" if recipe.about else recipe.name)
    say(f"model  {recipe.model}: {parameters(model):,} parameters, {inner_spec(model).equivariance}")
    for line in assert_declared(getattr(model, "model", model)):
        say(f"       {line}")


def parameters(model: Any) -> int:
    """How many numbers are trained."""
    return sum(parameter.numel() for parameter in model.parameters())
