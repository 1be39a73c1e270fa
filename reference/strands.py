"""The reverse complement as the paper writes it: flips of length and channels on one hidden state.

    R(x)     x (B, L, C) with positions and channels in reverse order; R(R(x)) = x
    [a ; b]  concatenation on channels: a is the sequence in its own order, b is R of the reverse complement in its own
    rc(x)    ids x with every id complemented and the order reversed

Flips are copies: the rounding of NumPy's functions may depend on the layout of their input, and both strands must round
alike for a `ps` model to be equivariant to the last bit. Source: Schiff et al. 2024, section 4.
"""

from __future__ import annotations

import numpy as np

from caduceus.reference.arrays import Array
from caduceus.symmetry import Space, Strands, Track, Vector


def flip_length(x: Array) -> Array:
    """Positions, axis 1, in reverse order."""
    return np.ascontiguousarray(x[:, ::-1])


def flip_mask(mask: Array | None) -> Array | None:
    """The mask of the reverse complement."""
    return None if mask is None else flip_length(mask)


def R(x: Array) -> Array:
    """Positions and channels in reverse order."""
    return np.ascontiguousarray(x[:, ::-1, ::-1])


def join(a: Array, b: Array) -> Array:
    """[a ; b]."""
    return np.concatenate([a, b], axis=-1)


def halves(x: Array) -> tuple[Array, Array]:
    """a and b of [a ; b]."""
    d = x.shape[-1] // 2
    return np.ascontiguousarray(x[..., :d]), np.ascontiguousarray(x[..., d:])


def rc_ids(ids: Array, complement: tuple[int, ...]) -> Array:
    """rc(x) for ids (B, L)."""
    length = ids.shape[1]
    out = np.empty_like(ids)
    for i in range(length):
        out[:, i] = np.asarray(complement)[ids[:, length - 1 - i]]
    return out


def rc_output(space: Space, y: Array) -> Array:
    """The action of rc on what a model gives, ``rc(y)[c] = sign[c] y[perm[c]]`` on channels.

    Args:
        space: `Track` (B, L, C), whose positions flip as well; `Vector` (B, C); `Strands` (B, 2, L, C), which swap.
    """
    if isinstance(space, Strands):
        return np.stack([y[:, 1], y[:, 0]], axis=1)
    if not isinstance(space, Track | Vector):
        raise TypeError(f"{space} is no output space, expected Track, Vector or Strands")
    flipped = flip_length(y) if isinstance(space, Track) else y
    out = np.empty_like(y)
    for c, (source, sign) in enumerate(zip(space.rep.perm, space.rep.sign, strict=True)):
        out[..., c] = sign * flipped[..., source]
    return out
