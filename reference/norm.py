"""Norms over channels, with the addition to the residual stream that precedes them.

    RMS    x / sqrt(mean(x^2) + eps) * weight
    Layer  (x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps) * weight + bias

The mean is over the channels of one position of one strand. Source: the authors' `rms_norm_ref` and `layer_norm_ref`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from caduceus.reference.arrays import Array, expect, number


def add_norm(
    x: Any, weight: Any, bias: Any = None, residual: Any = None, eps: float = 1e-5, kind: str = "rms"
) -> tuple[Array, Array]:
    """(norm(x + residual), x + residual), each (B, L, C).

    Args:
        x, residual: (B, L, C). weight, bias: (C,). kind: "rms" or "layer".

    Raises:
        ValueError: an argument has another shape, or the kind is unknown.
    """
    x, weight = number(x), number(weight)
    expect("weight", weight, x.shape[-1:])
    if residual is not None:
        residual = number(residual)
        expect("residual", residual, x.shape)
        x = x + residual
    if kind not in ("rms", "layer"):
        raise ValueError(f'kind of norm is {kind!r}, expected "rms" or "layer"')
    centred = x if kind == "rms" else x - x.mean(axis=-1, keepdims=True)
    y = centred / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + eps) * weight
    if bias is not None:
        bias = number(bias)
        expect("bias", bias, x.shape[-1:])
        y = y + bias
    return y, x
