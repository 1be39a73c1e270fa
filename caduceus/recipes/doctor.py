"""What this machine has: versions, backends and why not the others, device, compilers, extras, folders."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from caduceus.backends.cuda import probe
from caduceus.backends.registry import available_backends
from caduceus.data import cache_dir
from caduceus.recipes.environment import versions
from caduceus.train import machine

COMPILERS = ("c++", "g++", "clang++", "nvcc")
# Extra: the modules it brings. What `cuda` brings has a table of its own: that it can be imported does not say much.
EXTRAS = {
    "bench": ("matplotlib", "transformers"),
    "evaluate": ("sklearn",),
    "hub": ("huggingface_hub",),
    "parquet": ("pyarrow",),
    "plots": ("matplotlib", "plotly"),
    "predict": ("pyarrow", "pyBigWig"),
    "tensorboard": ("tensorboard",),
    "test": ("hypothesis", "pytest"),
    "wandb": ("wandb",),
}


def diagnosis() -> str:
    """A page of text."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield _row("versions", ", ".join(f"{name} {number}" for name, number in versions().items()))
    yield _row(
        "device", f"{machine.device_name()}, {machine.threads()} threads, CUDA {machine.cuda_version() or 'none'}"
    )
    for i, info in enumerate(available_backends()):
        yield _row("" if i else "backends", f"{info.name:<10}{'yes' if info.available else 'no':<5}{info.reason}")
    for i, check in enumerate(probe.checks()):
        state = "yes" if check.good else "no"
        yield _row("" if i else "cuda", f"{check.what:<21}{state:<5}{check.problem or check.found}")
    for line in probe.instructions().splitlines():
        yield _row("", line)
    found = [f"{name} ({path})" for name in COMPILERS if (path := shutil.which(name))]
    yield _row("compilers", ", ".join(found) or "none; none is needed")
    width = max(map(len, EXTRAS)) + 2
    for i, (extra, modules) in enumerate(EXTRAS.items()):
        absent = [module for module in modules if find_spec(module) is None]
        state = f"no   {', '.join(absent)} absent: pip install 'caduceus[{extra}]'" if absent else "yes"
        yield _row("" if i else "extras", f"{extra:<{width}}{state}")
    yield _row("cache", _folder(cache_dir(), "CADUCEUS_CACHE"))
    data = os.environ.get("CADUCEUS_DATA")
    yield _row("data", _folder(Path(data), "CADUCEUS_DATA") if data else "CADUCEUS_DATA is not set; recipes take paths")


def _row(name: str, text: str) -> str:
    return f"{name:<11}{text}"


def _folder(path: Path, variable: str) -> str:
    if not path.is_dir():
        return (
            f"{path} (not there yet; set by {variable})" if variable == "CADUCEUS_CACHE" else f"{path}: no such folder"
        )
    writable = "writable" if os.access(path, os.W_OK) else "read-only"
    free = shutil.disk_usage(path).free / 1e9
    return f"{path} ({writable}, {free:.0f} GB free; set by {variable})"
