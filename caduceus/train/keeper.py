"""Checkpoints: written whole, read without running code, the newest readable one found again."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.plugins.io import TorchCheckpointIO

from caduceus.train.bar import say
from caduceus.train.files import sweep, written_whole
from caduceus.train.module import Step
from caduceus.train.settings import Checkpoints
from caduceus.train.signals import Signals
from caduceus.train.steps import AfterUpdate

_NAME, _PATTERN = "step-{:08d}.ckpt", "step-*.ckpt"


class Unusable(ValueError):
    """There are checkpoints and the run cannot go on from them; the message says what to do."""


class WholeFiles(TorchCheckpointIO):
    """Checkpoints go to a temporary name, to the disk, and then to their own name; loading never runs code."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with written_whole(target) as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:
            said = error if isinstance(error, OSError) else f"{target} could not be written ({error})"
            raise OSError(f"{said}; earlier checkpoints are untouched") from error

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = None) -> dict[str, Any]:
        loaded: dict[str, Any] = torch.load(path, map_location=map_location, weights_only=True)
        return loaded


def newest(folder: Path) -> Path | None:
    """The newest checkpoint that can be read, None if there is none; each that cannot is reported.

    Raises:
        Unusable: there are some, and none can be read.
    """
    found = sorted(folder.glob(_PATTERN), reverse=True)
    for path in found:
        try:
            torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
            say(f"{path} cannot be read ({type(error).__name__}); trying the one before")
            continue
        return path
    if found:
        raise Unusable(f"no checkpoint in {folder} can be read; remove that folder to begin anew, or give another run")
    return None


def step_of(path: Path) -> int:
    """The step that a checkpoint was written at, from its name."""
    return int(path.stem.rpartition("-")[2])


class Keeper(AfterUpdate):
    """Writes a checkpoint every so many steps, at the end, and when a device asks to stop, which ends the run.

    Attributes:
        code: the exit status that says why the run stops before its end, the same on every device; 0 if it does not.
    """

    def __init__(self, folder: Path, settings: Checkpoints, max_steps: int, signals: Signals) -> None:
        self.folder, self.settings, self.max_steps, self.signals = folder, settings, max_steps, signals
        self.code = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero:
            sweep(self.folder)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._decide(trainer)

    def after_update(self, trainer: Trainer, step: int, seen: Step) -> None:
        self._decide(trainer)
        if self.code or step == self.max_steps or step % self.settings.every == 0:
            trainer.save_checkpoint(self.folder / _NAME.format(step))
            if trainer.is_global_zero:
                self._prune(step)
        trainer.should_stop = bool(self.code)

    def _decide(self, trainer: Trainer) -> None:
        """Once any device is asked to stop, all do, for one reason."""
        asked = torch.tensor(self.signals.code or self.code, device=trainer.strategy.root_device)
        self.code = int(trainer.strategy.reduce(asked, reduce_op="max"))

    def _prune(self, step: int) -> None:
        """Of the checkpoints up to ``step`` the newest stay; a later one is what could not be read."""
        done = [path for path in sorted(self.folder.glob(_PATTERN)) if step_of(path) <= step]
        for path in done[: -self.settings.keep]:
            path.unlink()
