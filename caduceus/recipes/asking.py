"""What the recipes that ask a trained model share: the model, and the files that it is asked about."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from caduceus.data import flank_of
from caduceus.extras import require
from caduceus.recipes.errors import Refused
from caduceus.recipes.find import data_path
from caduceus.recipes.run_dir import RunFolder
from caduceus.recipes.schema import Recipe, Results

# Files of a checkpoint, in either layout, whose content is what the model is.
_CHECKPOINT = ("spec.yaml", "config.json", "model.safetensors", "pytorch_model.bin")


def _odd(window: int) -> int:
    flank_of(window)
    return window


Window = Annotated[int, Field(gt=0), AfterValidator(_odd)]
"""Positions that a base is predicted from, itself in their middle."""


class Asking(Recipe):
    """The base.

    Attributes:
        model: a folder that `load_pretrained` reads.
        tokens: that the model reads at once.
        threads: that torch computes with on the CPU; null leaves it to torch.
        accelerator: "auto", or "cpu" even where there is another.
    """

    done_by: ClassVar[str]
    """The module whose ``check`` and ``run`` do it: it imports torch, which reading a recipe does not."""

    model: str | None = None
    tokens: int = Field(default=1 << 14, gt=0)
    threads: int | None = Field(default=None, gt=0)
    accelerator: Literal["auto", "cpu"] = "auto"

    def found(self, needed: Mapping[str, str | None], optional: Mapping[str, str | None]) -> dict[str, str]:
        """Paths of the files by field, and of the checkpoint's as ``model/...``; Refused says which are missing."""
        paths: dict[str, str] = {}
        missing: list[str] = []
        for name, value in {**needed, **optional}.items():
            path = data_path(value) if value else None
            if path:
                paths[name] = str(path)
            elif value or name in needed:
                missing.append(f"{name}: {value or 'not given'}")
        folder = Path(self.model).expanduser() if self.model else None
        if folder is None or not folder.is_dir():
            missing.append(f"model: {self.model or 'not given'}; a folder, such as runs/quickstart-1a2b3c4d/model")
        else:
            paths |= {f"model/{name}": str(folder / name) for name in _CHECKPOINT if (folder / name).is_file()}
        if missing:
            options = " ".join(["--set model=FOLDER", *(f"--set {name}=FILE" for name in needed)])
            raise Refused("\n  ".join([f"{self.name} needs what is not here:", *missing]) + f"\nGive it by: {options}")
        return paths

    def files(self) -> dict[str, str]:
        """Every file that is read, by name; Refused says which are missing."""
        raise NotImplementedError

    def check(self) -> None:
        files = self.files()
        importlib.import_module(self.done_by).check(self, files)

    def run(self, folder: RunFolder) -> Results:
        files = self.files()
        found: Results = importlib.import_module(self.done_by).run(self, files, folder)
        return found

    def load_model(self, other: Any = None) -> Any:
        """The model, in eval mode, where the recipe computes; on its own backend, or on an ``other``."""
        from caduceus.checkpoint import load_pretrained
        from caduceus.train.machine import kernels, use_threads

        use_threads(self.threads)
        computing = other or kernels(self.backend, self.accelerator)
        if computing.name == "reference":
            raise Refused("backend is 'reference', which has no torch model; give backend auto or torch")
        return load_pretrained(Path(self.model or "").expanduser(), backend=computing, device=self.device())

    def untrained(self, model: Any, seed: int) -> Any:
        """The same network with its initial weights: a control."""
        from caduceus.construct import build
        from caduceus.train.machine import kernels

        computing = kernels(self.backend, self.accelerator)
        return build(model.spec, backend=computing, seed=seed, device=self.device())

    def device(self) -> Any:
        from caduceus.train.machine import device

        return device(self.accelerator)


def needed(module: str, extra: str) -> Any:
    """`caduceus.extras.require`, before any work is done."""
    try:
        return require(module, extra)
    except ModuleNotFoundError as error:
        raise Refused(str(error)) from error
