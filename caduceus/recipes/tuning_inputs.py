"""What a fine-tuning run reads, by name and sha256: files, class folders and the model."""

from __future__ import annotations

from pathlib import Path

from caduceus.checkpoint.files import CONFIG, PICKLED, SPEC, WEIGHTS
from caduceus.recipes.finetuning import Finetuning
from caduceus.recipes.run_dir import RunFolder
from caduceus.recipes.tuning_files import task_path

_MODEL = "model/"


def inputs(recipe: Finetuning) -> dict[str, str]:
    """Name -> path of every file and class folder, the files of the model among them."""
    found: dict[str, str] = {}
    for name, task in recipe.tasks.items():
        for split in ("train", "valid", "test", "genome"):
            if getattr(task, split) is None:
                continue
            path = str(task_path(task, split))
            if path not in found.values():
                found[f"{name}.{split}"] = path
    folder = Path(recipe.pretrained or "").expanduser()
    if recipe.pretrained is not None:
        held = [name for name in (SPEC, CONFIG, WEIGHTS, PICKLED) if (folder / name).is_file()]
        found |= {f"{_MODEL}{name}": str(folder / name) for name in held}
    return found


def refuse_other_inputs(folder: RunFolder, now: dict[str, dict[str, str]]) -> None:
    """Refused if the run began with other data than those of now.

    Of data that was not named when the run began, as class folders once were not, there is nothing to compare with.
    """
    before = folder.environment().get("data", {})
    folder.refuse_other_files({name: held for name, held in now.items() if name in before or name.startswith(_MODEL)})
