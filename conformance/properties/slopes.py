"""Gradients of a model against slopes of the model itself, which a part without a reference has too."""

from __future__ import annotations

from typing import Any

import torch

from caduceus.conformance.properties.bounds import law
from caduceus.conformance.properties.calculus import slope_error
from caduceus.conformance.properties.strands import parameters
from caduceus.conformance.subjects import Array, answer

_STEP = 1e-6


@law("models: gradients against finite differences", {"float64": 1e-4})
def check_slopes(model: Any, ids: Array, mask: Any, seed: int) -> float:
    """Derivatives of what a model gives along a random direction of each weight, relative to its largest derivative."""
    tensors = dict(parameters(model))

    def moved(name: str, v: Array) -> list[Array]:
        ahead, behind = (_moved(model, tensors[name], step * v, ids, mask) for step in (_STEP, -_STEP))
        return [(ahead - behind) / (2 * _STEP)]

    return slope_error([model(ids, mask)], tensors, moved, seed)


def _moved(model: Any, tensor: torch.Tensor, by: Array, ids: Array, mask: Any) -> Array:
    """What the model gives when a weight is moved for once."""
    before = tensor.detach().clone()
    try:
        with torch.no_grad():
            tensor.add_(torch.as_tensor(by).to(tensor))
        return answer(model, ids, mask)
    finally:
        with torch.no_grad():
            tensor.copy_(before)
