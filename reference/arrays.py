"""Small things that every formula of the reference needs: dtypes, masks, and the pointwise functions.

The pointwise functions are analytic: where a formula is chosen, for a switch or for numerical range, the real part
decides.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def number(x: Any) -> Array:
    """``x`` as complex128 if it is complex, else as float64."""
    array = np.asarray(x)
    return array.astype(np.complex128 if np.iscomplexobj(array) else np.float64, copy=False)


def keep(x: Array, mask: Array | None) -> Array:
    """``x`` (B, L, C) with exact zeros in place of whatever masked positions hold, NaN included."""
    return x if mask is None else np.where(mask[..., None], x, 0.0)


def expect(name: str, x: Array, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless ``x`` has ``shape``: broadcasting would hide a mistake of the caller."""
    if x.shape != shape:
        raise ValueError(f"{name} has shape {x.shape}, expected {shape}")


def expect_mask(mask: Any, shape: tuple[int, int]) -> Array | None:
    """The mask as an array (B, L) of bool, None staying None; raise ValueError if it is anything else."""
    if mask is None:
        return None
    array = np.asarray(mask)
    if array.dtype != np.bool_:
        raise ValueError(f"mask has dtype {array.dtype}, expected bool, True at valid positions")
    expect("mask", array, shape)
    return array


def matrix_product(x: Array, W: Array) -> Array:
    """x W^T for x (B, L, C) and W (E, C), one position after the other.

    One product of all positions would be faster, and would round a position by where it stands in the sequence.
    """
    y = np.empty((*x.shape[:-1], len(W)), np.result_type(x, W))
    for i in range(x.shape[1]):
        y[:, i] = x[:, i] @ W.T
    return y


def log1p_exp(x: Array) -> Array:
    """log(1 + e^x) at any size of x: x + log(1 + e^-x) for positive real parts."""
    positive = x.real > 0
    return np.where(positive, x, 0.0) + np.log1p(np.exp(np.where(positive, -x, x)))


def softplus(x: Array) -> Array:
    """log(1 + e^x), and x itself where its real part is above 20, as torch and the kernels have it."""
    return np.where(x.real > 20.0, x, np.log1p(np.exp(np.where(x.real > 20.0, 0.0, x))))


def silu(x: Array) -> Array:
    """x / (1 + e^-x); for negative real parts x e^x / (1 + e^x), the same function without overflow."""
    negative = x.real < 0
    e = np.exp(np.where(negative, x, -x))
    return x * np.where(negative, e, 1.0) / (1.0 + e)
