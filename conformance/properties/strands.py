"""Parts of a model that see one strand, called by themselves on arrays, on any backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from caduceus import reference
from caduceus.conformance.subjects import Array, array, dtype_of
from caduceus.symmetry import Strands, Vector

Call = Callable[..., Any]


def inside(model: Any, path: str) -> dict[str, Array]:
    """The weights of the part at ``path``, ties resolved, under the part's own names."""
    full = reference.resolve(model.spec.weights(), {n: array(x) for n, x in model.weights().items()})
    return {n[len(path) + 1 :]: x for n, x in full.items() if n.startswith(f"{path}.")}


def reference_part(model: Any, path: str) -> Callable[..., Any]:
    """f(weights, x, mask) of the reference for the part at ``path`` of the model's spec."""
    return reference.part_function(dict(model.spec.named_parts())[path], path)


def call_part(model: Any, path: str, x: Array, mask: Array | None = None) -> Array:
    """What the part at ``path`` (mixers.0, head) of a model gives for one strand (B, L, C)."""
    if not hasattr(model, "parameters"):
        return array(reference_part(model, path)(inside(model, path), x, mask))
    with torch.no_grad():
        return array(model.get_submodule(path)(strand_tensor(model, x), mask_tensor(model, mask)))


def strand_tensor(model: Any, x: Array) -> torch.Tensor:
    """``x`` in the dtype and on the device of the model."""
    parameter = next(model.parameters())
    return torch.tensor(x.copy(), dtype=getattr(torch, dtype_of(model)), device=parameter.device)


def mask_tensor(model: Any, mask: Array | None) -> torch.Tensor | None:
    """The mask where the model is."""
    return None if mask is None else torch.tensor(mask.copy(), device=next(model.parameters()).device)


def seen(model: Any, x: Array) -> Array:
    """``x`` rounded as the model sees it."""
    return array(strand_tensor(model, x)) if hasattr(model, "parameters") else x


def parameters(model: Any, prefix: str = "") -> Mapping[str, torch.Tensor]:
    """Parameters of floating type by the spec's names, each once, below ``prefix``."""
    named = {n: p for n, p in model.named_parameters() if n.startswith(prefix)}
    return {n[len(prefix) :]: p for n, p in named.items()}


def crop(space: Any, y: Array, left: int, right: int) -> Array:
    """Of an output for a sequence padded by ``left`` and ``right``, what belongs to the sequence itself."""
    if isinstance(space, Vector):
        return y
    if isinstance(space, Strands):
        length = y.shape[2]
        return np.stack([y[:, 0, left : length - right], y[:, 1, right : length - left]], axis=1)
    return y[:, left : y.shape[1] - right]


def masked_part(space: Any, y: Array, mask: Array) -> Array:
    """The entries of an output that belong to masked positions, in each strand's own order."""
    if isinstance(space, Vector):
        return y[:0]
    if isinstance(space, Strands):
        return np.concatenate([y[:, 0][~mask], y[:, 1][~mask[:, ::-1]]])
    return y[~mask]
