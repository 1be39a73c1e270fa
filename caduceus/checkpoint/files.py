"""Reading and writing checkpoint folders: refused early with the reason, written whole or not at all."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from caduceus.hub import from_hub

SPEC, CONFIG, WEIGHTS, PICKLED = "spec.yaml", "config.json", "model.safetensors", "pytorch_model.bin"
_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def find_folder(folder: str | os.PathLike[str], revision: str | None = None) -> Path:
    """The folder itself, or, for a text "owner/name" that is none, a snapshot of that Hugging Face repository.

    Raises:
        FileNotFoundError: there is no such folder, or nothing came from the hub.
        ModuleNotFoundError: it names a repository, and the extra that downloads is not installed.
    """
    path = Path(folder)
    if path.is_dir():
        if revision is not None:
            raise ValueError(f"revision is {revision!r}, but {folder} is a folder here; revisions are for repositories")
        return path
    if not isinstance(folder, str) or path.exists() or not _REPOSITORY.fullmatch(folder):
        raise FileNotFoundError(f"{folder} is no folder; expected one with {SPEC} or {CONFIG}, or 'owner/name'")
    wanted = [SPEC, CONFIG, WEIGHTS, PICKLED]
    return Path(
        from_hub(
            folder,
            lambda hub: hub.snapshot_download(folder, revision=revision, allow_patterns=wanted),
            f"It is no folder here either; give one with {SPEC} or {CONFIG}, or the name of a repository that is there",
        )
    )


def layout_of(folder: Path) -> str:
    """ "caduceus" or "official", by the file that says what the model is."""
    has_spec, has_config = (folder / SPEC).is_file(), (folder / CONFIG).is_file()
    if has_spec and has_config:
        raise ValueError(f"{folder} has both {SPEC} and {CONFIG}, expected one: keep one layout in a folder")
    if not has_spec and not has_config:
        raise FileNotFoundError(f"{folder} has no model: looked for {SPEC} and {CONFIG}")
    return "caduceus" if has_spec else "official"


def read_json(path: Path) -> Any:
    """The value of a JSON file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error


def read_tensors(folder: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The tensors of the first of the files ``names`` that is there; types narrower than float32 are widened to it.

    Raises:
        FileNotFoundError: none of them is there.
        ValueError: the file is cut short or not of its kind, or a tensor holds NaN or infinity.
    """
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    if path is None:
        raise FileNotFoundError(f"{folder} has no weights: looked for {' and '.join(names)}")
    tensors = {k: _array(v) for k, v in (_unpickle(path) if path.name == PICKLED else _open(path)).items()}
    bad = [key for key, value in tensors.items() if value.dtype.kind == "f" and not np.isfinite(value).all()]
    if bad:
        raise ValueError(f"{path}: NaN or infinity in {', '.join(bad)}; expected finite weights")
    return tensors


def write_folder(folder: Path, tensors: Mapping[str, np.ndarray], name: str, text: str) -> None:
    """Write ``text`` to the file ``name`` and the tensors beside it; each file appears whole.

    Raises:
        FileExistsError: the folder holds a model in the other layout, which the new weights would break.
    """
    other = CONFIG if name == SPEC else SPEC
    if (folder / other).exists():
        raise FileExistsError(f"{folder} holds {other}, a model in another layout; give a folder without it")
    folder.mkdir(parents=True, exist_ok=True)
    whole = {key: np.asarray(value, order="C") for key, value in tensors.items()}
    _replace(folder / WEIGHTS, save(whole, metadata={"format": "pt"}))
    _replace(folder / name, text.encode())


def _open(path: Path) -> dict[str, torch.Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  it is no mapping
    except SafetensorError as error:
        raise _unreadable(path, "safetensors", error) from error


def _unpickle(path: Path) -> dict[str, torch.Tensor]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle fails in whatever its bytes happen to ask for
        raise _unreadable(path, "a state dict of tensors alone", error) from error
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise ValueError(f"{path} is {type(found).__name__}, expected a state dict: names to tensors")
    return found


def _unreadable(path: Path, what: str, error: Exception) -> ValueError:
    return ValueError(
        f"{path} ({path.stat().st_size} bytes) cannot be read as {what}; is the download complete? {error}"
    )


def _array(tensor: torch.Tensor) -> np.ndarray:
    if tensor.is_floating_point() and tensor.dtype not in (torch.float32, torch.float64):
        tensor = tensor.float()
    return tensor.detach().cpu().numpy()


def _replace(path: Path, content: bytes) -> None:
    """Write to a name beside ``path``, then rename: a reader sees the old file or the new one, never a part."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
