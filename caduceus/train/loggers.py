"""Where the rows of metrics.csv go too: TensorBoard and Weights & Biases, through Lightning."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger

from caduceus.extras import require
from caduceus.train.settings import Training


def loggers(settings: Training, folder: Path, step: int) -> list[Logger]:
    """The loggers of a run that continues after ``step``: a row that was logged before shows once.

    tensorboard: event files in ``folder``/tensorboard. wandb: a run of the folder's name in the project that
    WANDB_PROJECT names (caduceus); its other settings are W&B's own, such as WANDB_MODE.
    """
    require_loggers(settings)
    found: list[Logger] = []
    if "tensorboard" in settings.loggers:
        found.append(TensorBoardLogger(folder, name="tensorboard", version="", purge_step=step + 1))
    if "wandb" in settings.loggers:
        project = os.environ.get("WANDB_PROJECT", "caduceus")
        same = hashlib.sha256(
            f"{folder.resolve()} {settings.model_dump_json(exclude=set(settings.unbound))}".encode()
        ).hexdigest()[:16]
        found.append(WandbLogger(name=folder.name, id=same, save_dir=folder, project=project, resume="allow"))
    return found


def require_loggers(settings: Training) -> None:
    """ModuleNotFoundError, with what to install, if a logger is not there."""
    for name in settings.loggers:
        require(name, name)
