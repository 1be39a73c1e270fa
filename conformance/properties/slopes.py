"""Gradients of a model against slopes of the model itself, which a part without a reference has too."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from caduceus.conformance.properties.bounds import largest, law
from caduceus.conformance.properties.calculus import pull_back
from caduceus.conformance.properties.strands import parameters
from caduceus.conformance.subjects import Array, answer

_STEP = 1e-6


@law("models: gradients against finite differences", {"float64": 1e-4})
def check_slopes(model: Any, ids: Array, mask: Any, seed: int) -> float:
    """Derivatives of what a model gives along a random direction of each weight, relative to its largest derivative."""
    rng = np.random.default_rng(seed)
    tensors = dict(parameters(model))
    y = model(ids, mask)
    cotangent = rng.standard_normal(tuple(y.shape))
    gradients = pull_back([y], tensors, [cotangent])
    overall = max(map(largest, gradients.values()))
    worst = 0.0
    for name, gradient in gradients.items():
        v = rng.standard_normal(gradient.shape)
        ahead, behind = (_moved(model, tensors[name], step * v, ids, mask) for step in (_STEP, -_STEP))
        slope = (cotangent * (ahead - behind)).sum() / (2 * _STEP)
        scale = max(largest(gradient), 1e-3 * overall, 1e-30)
        worst = max(worst, largest((gradient * v).sum() - slope) / scale)
    return worst


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
