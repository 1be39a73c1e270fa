"""environment.json: with what, where and on which data a run was done."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from caduceus.recipes.digest import sha256
from caduceus.recipes.finetuning import Finetuning
from caduceus.recipes.pretraining import Pretraining
from caduceus.train import machine
from caduceus.train.fit import precision

PACKAGES = (
    "caduceus",
    "torch",
    "lightning",
    "numpy",
    "pydantic",
    "pyfaidx",
    "biopython",
    "safetensors",
    "scikit-learn",
)


def versions() -> dict[str, str]:
    """Of Python and of what the library stands on."""
    return {"python": platform.python_version(), **{name: installed(name) or "absent" for name in PACKAGES}}


def installed(package: str) -> str | None:
    """The version of an installed distribution."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def commit() -> str | None:
    """Of the checkout that the library is imported from, "-dirty" where files of it differ; None outside of one."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists() or shutil.which("git") is None:
        return None
    asked = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    found = subprocess.run(asked, capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


def here_and_now(backend: str, accelerator: str) -> dict[str, Any]:
    """What environment.json holds of any run: when, how, with what and where; ``backend`` by its name."""
    return {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": sys.argv[1:],
        "versions": versions(),
        "commit": commit(),
        "platform": platform.platform(),
        "backend": backend,
        "device": machine.device_name(accelerator),
        "threads": machine.threads(),
    }


def load() -> float:
    """Processes that wanted to run, on average over the last minute."""
    return os.getloadavg()[0]


def environment(recipe: Pretraining | Finetuning, files: dict[str, str], world: int) -> dict[str, Any]:
    """Plain values for environment.json of a training run."""
    return {
        **surroundings(machine.kernels(recipe.backend, recipe.accelerator).name, recipe.accelerator, files),
        "devices": world,
        "precision": precision(recipe),
        "seed": recipe.seed,
    }


def surroundings(backend: str, accelerator: str, files: dict[str, str]) -> dict[str, Any]:
    """What environment.json holds of any run that reads ``files``, by name."""
    return {
        **here_and_now(backend, accelerator),
        "data": {name: {"path": path, "sha256": sha256(Path(path))} for name, path in files.items()},
    }
