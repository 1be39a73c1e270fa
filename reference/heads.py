"""Project (Schiff et al. 2024, sections 4.2 and 4.3): features of one strand to values, and two strands to one answer.

    language model   a W^T + reverse_channels(b) W[complement]^T         on [a ; b]
    every other      (f(a) + rc(f(R b))) / 2                             rc acts on the output space

f is linear per position, after pooling for a value per sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from caduceus import parts
from caduceus.reference.arrays import Array, keep, matrix_product
from caduceus.reference.strands import R, flip_mask, halves, rc_output
from caduceus.spec import Spec
from caduceus.symmetry import Track

StrandHead = Callable[[Mapping[str, Array], Array, "Array | None"], Array]


def pool(x: Array, mask: Array | None, how: str) -> Array:
    """One value (B, C) of the valid positions of x (B, L, C); zeros for a row that has none.

    Args:
        how: mean, max (position by the real part), first, last or centre: the middle valid position, in the order of
            x, of an even number the mean of both.
    """
    batch, length, channels = x.shape
    out = np.zeros((batch, channels), x.dtype)
    for b in range(batch):
        valid = [i for i in range(length) if mask is None or mask[b, i]]
        if not valid:
            continue
        row = x[b, valid]
        if how == "mean":
            out[b] = row.sum(axis=0) / len(valid)
        elif how == "max":
            out[b] = row[row.real.argmax(axis=0), np.arange(channels)]
        elif how == "centre":
            out[b] = (row[(len(valid) - 1) // 2] + row[len(valid) // 2]) / 2
        else:
            out[b] = row[{"first": 0, "last": -1}[how]]
    return out


def strand_head(spec: parts.Head, weights: Mapping[str, Array], features: Array, mask: Array | None = None) -> Array:
    """f of one strand (B, L, C), in its own order: (B, L, outputs), or (B, outputs) if the head pools."""
    W = weights["weight"]
    y = matrix_product(features, W) if spec.pooling is None else pool(features, mask, spec.pooling) @ W.T
    return y + weights["bias"] if "bias" in weights else y


def token_logits(x: Array, W: Array) -> Array:
    """x W^T, one token after the other: a product of matrices would round a token by its id, and rc moves ids."""
    return np.stack([(x * w).sum(axis=-1) for w in W], axis=-1)


def project(spec: Spec, f: StrandHead, weights: Mapping[str, Array], h: Array, mask: Array | None, ps: bool) -> Array:
    """The answer to features h, (B, L, C), or [a ; b] for ps; exact zeros at masked positions of a track."""
    space = spec.space_out
    if not ps:
        y = f(weights, h, mask)
    elif type(spec) is parts.MaskedLM and isinstance(space, Track):
        a, b = halves(h)
        W, complement = weights["weight"], np.asarray(space.rep.perm)
        y = token_logits(a, W) + token_logits(np.ascontiguousarray(b[..., ::-1]), W[complement])
    else:
        a, b = halves(h)
        total = f(weights, a, mask) + rc_output(space, f(weights, R(b), flip_mask(mask)))
        y = total / 2 if getattr(spec, "join", "mean") == "mean" else total
    return keep(y, mask) if isinstance(space, Track) else y
