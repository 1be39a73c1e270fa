"""What the tests of checkpoints share: official folders written from golden cases, small models, a third's mixer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

import caduceus
from caduceus import parts
from caduceus.conformance import golden_cases
from caduceus.spec import Spec

NAMES = tuple(name for name in golden_cases.present() if name not in golden_cases.UNIT_FILES)


@dataclass(frozen=True)
class Case:
    """A golden case: its record and its arrays."""

    record: dict[str, Any]
    arrays: dict[str, np.ndarray]

    @property
    def config(self) -> dict[str, Any]:
        return {**self.record["config"], **self.record.get("class_kwargs", {}), "architectures": [self.record["class"]]}

    @property
    def tensors(self) -> dict[str, np.ndarray]:
        """The official state as a file holds it: tied tensors once, in the order of the state dict."""
        aliases = self.record["tied_aliases"]
        return {k: self.arrays[f"state/{k}"] for k in self.record["state_dict_keys"] if k not in aliases}

    @property
    def all_tensors(self) -> dict[str, np.ndarray]:
        """The official state with tied duplicates."""
        aliases = self.record["tied_aliases"]
        return {k: self.arrays[f"state/{aliases.get(k, k)}"] for k in self.record["state_dict_keys"]}


@cache
def golden(name: str) -> Case:
    """The golden case ``name``."""
    with np.load(golden_cases.FOLDER / f"{name}.npz") as arrays:
        found = {key: arrays[key] for key in arrays}
    return Case(json.loads((golden_cases.FOLDER / f"{name}.json").read_text(encoding="utf-8")), found)


def write_official(folder: Path, config: Any, tensors: Mapping[str, np.ndarray], pickled: bool = False) -> Path:
    """An official folder, written without this library."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    if pickled:
        torch.save({k: torch.from_numpy(v) for k, v in tensors.items()}, folder / "pytorch_model.bin")
    else:
        save_file(dict(tensors), folder / "model.safetensors")
    return folder


def write_golden(folder: Path, name: str) -> Path:
    """The official folder of a golden case, as published: tied tensors once."""
    return write_official(folder, golden(name).config, golden(name).tensors)


def stored(folder: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What an official folder holds: config and tensors."""
    return json.loads((folder / "config.json").read_text(encoding="utf-8")), load_file(folder / "model.safetensors")


def identical(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether two sets of tensors have the same names, types, shapes and bits."""
    arrays = [{k: np.asarray(v) for k, v in x.items()} for x in (a, b)]
    return arrays[0].keys() == arrays[1].keys() and all(
        x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()
        for x, y in ((arrays[0][k], arrays[1][k]) for k in arrays[0])
    )


def named_as(fused: bool, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors of a ps model with the norms named as with, or without, `fused_add_norm`."""
    bare = {re.sub(r"\.(norm|norm_f)\.submodule\.", r".\1.", key): value for key, value in tensors.items()}
    return bare if fused else {re.sub(r"\.(norm|norm_f)\.", r".\1.submodule.", key): v for key, v in bare.items()}


def small(
    equivariance: str = "ps", layers: int = 2, mixer: Spec | None = None, head: Spec | None = None, **fields: Any
) -> parts.Model:
    """A model with few weights."""
    mixer = parts.BiMamba(mamba=parts.Mamba(d_state=3)) if mixer is None else mixer
    defaults = {"embedding": parts.Embedding(d_model=8), "mixers": (mixer,) * layers, "head": head}
    return parts.Model(**{"equivariance": equivariance, **defaults, **fields})


def small_lm(equivariance: str = "ps", layers: int = 2, **fields: Any) -> parts.Model:
    """A masked language model with few weights, as the official layout reads it back."""
    return small(equivariance, layers, **{"head": parts.MaskedLM(), "n_as": "pad", **fields})


def written(folder: Path, spec: parts.Model) -> Path:
    """An official folder of a fresh model."""
    caduceus.save_pretrained(caduceus.build(spec), folder, layout="official")
    return folder


class Scale(Spec):
    """A third party's mixer: one factor for each channel, and a buffer."""

    def module(self, backend: Any) -> torch.nn.Module:
        return ScaleModule(self.channels)


class ScaleModule(torch.nn.Module):
    """y = factor * x + shift."""

    shift: torch.Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.factor = torch.nn.Parameter(torch.randn(channels))
        self.register_buffer("shift", torch.randn(channels))

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return self.factor * x + self.shift
