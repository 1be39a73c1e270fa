"""Examples from a seed: kernel arguments, token ids, masks. Arrays are float64; properties round them to a dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from caduceus.alphabet import BASES, PAD, N
from caduceus.symmetry import Space

Array = np.ndarray
Arguments = dict[str, Any]


def scan_arguments(
    seed: int,
    *,
    batch: int = 2,
    length: int = 9,
    channels: int = 3,
    states: int = 4,
    softplus: bool = True,
    reverse: bool = False,
    masked: bool = False,
    extras: bool = True,
) -> Arguments:
    """Arguments of `selective_scan`; with ``extras`` D, z, dt_bias and an initial state."""
    rng = np.random.default_rng(seed)
    wide, narrow = (batch, length, channels), (batch, length, states)
    step = rng.standard_normal(wide)
    arguments: Arguments = {
        "u": rng.standard_normal(wide),
        "dt": step if softplus else np.abs(step),
        "A": -np.exp(rng.uniform(-2, 1, (channels, states))),
        "B": rng.standard_normal(narrow),
        "C": rng.standard_normal(narrow),
        "dt_softplus": softplus,
        "reverse": reverse,
    }
    if extras:
        arguments |= {
            "D": rng.standard_normal(channels),
            "z": rng.standard_normal(wide),
            "dt_bias": np.abs(rng.standard_normal(channels)),
            "state": rng.standard_normal((batch, channels, states)),
        }
    return arguments | ({"mask": random_mask(seed, batch, length)} if masked else {})


def one_step(dt: Array) -> Arguments:
    """A scan of one position from rest whose y is softplus(dt), for each entry of ``dt`` (E,)."""
    one = np.ones((1, 1, 1))
    return {
        "u": np.ones((1, 1, len(dt))),
        "dt": dt[None, None],
        "A": -np.ones((len(dt), 1)),
        "B": one,
        "C": one,
        "dt_softplus": True,
    }


def conv_arguments(
    seed: int,
    *,
    batch: int = 2,
    length: int = 9,
    channels: int = 3,
    taps: int = 4,
    activation: str | None = "silu",
    reverse: bool = False,
    masked: bool = False,
    extras: bool = True,
) -> Arguments:
    """Arguments of `causal_conv`; with ``extras`` a bias and an initial state."""
    rng = np.random.default_rng(seed)
    arguments: Arguments = {
        "x": rng.standard_normal((batch, length, channels)),
        "weight": rng.standard_normal((channels, taps)),
        "activation": activation,
        "reverse": reverse,
    }
    if extras:
        arguments |= {"bias": rng.standard_normal(channels), "state": rng.standard_normal((batch, channels, taps - 1))}
    return arguments | ({"mask": random_mask(seed, batch, length)} if masked else {})


def norm_arguments(
    seed: int, *, batch: int = 2, length: int = 5, channels: int = 7, kind: str = "rms", residual: bool = True
) -> Arguments:
    """Arguments of `add_norm`, away from mean 0 and variance 1."""
    rng = np.random.default_rng(seed)
    shape = (batch, length, channels)
    arguments: Arguments = {
        "x": rng.standard_normal(shape) + 0.5,
        "weight": rng.standard_normal(channels),
        "eps": 0.1,
        "kind": kind,
    }
    arguments |= {"bias": rng.standard_normal(channels)} if kind == "layer" else {}
    return arguments | ({"residual": 2 * rng.standard_normal(shape)} if residual else {})


def random_mask(seed: int, batch: int, length: int) -> Array:
    """(B, L) bool: holes anywhere; the first row keeps at least one position."""
    mask = np.random.default_rng(seed).random((batch, length)) > 0.35
    mask[0, length // 2] = True
    return mask


def random_ids(seed: int, space: Space, batch: int = 2, length: int = 9) -> Array:
    """(B, L) ids of every kind that the space has."""
    return space.sample(np.random.default_rng(seed), batch, length)


def random_strand(seed: int, batch: int, length: int, channels: int) -> Array:
    """(B, L, C) standard normal."""
    return np.random.default_rng(seed).standard_normal((batch, length, channels))


def random_bases(seed: int, batch: int = 1, length: int = 9) -> Array:
    """(B, L) ids of A, C, G and T."""
    return np.random.default_rng(seed).choice(BASES, (batch, length))


def masked_content(x: Array, mask: Array, content: float) -> Array:
    """``x`` (B, L, ...) with ``content`` where masked."""
    return np.where(mask.reshape(mask.shape + (1,) * (x.ndim - 2)), x, content)


def with_pads(seed: int, batch: int, length: int) -> Array:
    """(B, L) ids of bases and N, of which some, and all of the last row, are [PAD]."""
    ids = np.random.default_rng(seed).choice([*BASES, N], (batch, length))
    ids[~random_mask(seed, batch, length)] = PAD
    ids[-1] = PAD
    return ids
