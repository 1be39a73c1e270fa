"""Checkpoints: written whole, read without running code, the newest readable one found again."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.plugins.io import TorchCheckpointIO

from caduceus.train.bar import say
from caduceus.train.files import written_whole
from caduceus.train.module import Step
from caduceus.train.settings import Checkpoints
from caduceus.train.signals import Signals
from caduceus.train.steps import AfterUpdate

_NAME, _PATTERN = "step-{:08d}.ckpt", "step-*.ckpt"


class WholeFiles(TorchCheckpointIO):
    """Checkpoints go to a temporary name, to the disk, and then to their own name; loading never runs code."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with written_whole(target) as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:
            raise OSError(f"{target} could not be written ({error}); earlier checkpoints are untouched") from error

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = None) -> dict[str, Any]:
        loaded: dict[str, Any] = torch.load(path, map_location=map_location, weights_only=True)
        return loaded


def newest(folder: Path) -> Path | None:
    """The newest checkpoint that can be read; each that cannot is reported."""
    for path in sorted(folder.glob(_PATTERN), reverse=True):
        try:
            torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
            say(f"{path} cannot be read ({type(error).__name__}); trying the one before")
            continue
        return path
    return None


class Keeper(AfterUpdate):
    """Writes a checkpoint every so many steps, at the end, and when a signal asks to stop, which ends the run."""

    def __init__(self, folder: Path, settings: Checkpoints, max_steps: int, signals: Signals) -> None:
        self.folder, self.settings, self.max_steps, self.signals = folder, settings, max_steps, signals

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.signals.watch()

    def after_update(self, trainer: Trainer, step: int, seen: Step) -> None:
        stop = trainer.strategy.reduce_boolean_decision(self.signals.asked_to_stop(), all=False)
        if stop or step == self.max_steps or step % self.settings.every == 0:
            trainer.save_checkpoint(self.folder / _NAME.format(step))
            if trainer.is_global_zero:
                self._prune()
        trainer.should_stop = stop

    def _prune(self) -> None:
        for path in sorted(self.folder.glob(_PATTERN))[: -self.settings.keep]:
            path.unlink()
