"""Lift token ids to a hidden state (Schiff et al. 2024, section 4.1).

    plain   h = E[x]
    ps      h = [E[x] ; R(E[rc x])]

E is one function of one strand, a table, or whatever a third party's embedding is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from caduceus.reference.arrays import Array, keep
from caduceus.reference.strands import R, flip_mask, join
from caduceus.spec import Spec


def embed(spec: Spec, weights: Mapping[str, Array], ids: Array) -> Array:
    """E[x]: ids (B, L) to one strand (B, L, C)."""
    del spec
    return weights["weight"][ids]


def lift(
    E: Callable[[Mapping[str, Array], Array], Array],
    weights: Mapping[str, Array],
    ids: Array,
    mask: Array | None,
    rc: Array | None = None,
) -> Array:
    """The hidden state, 0 where masked: (B, L, C) of ids (B, L), or (B, L, 2C) if given the ids of rc x as well."""
    a = keep(E(weights, ids), mask)
    return a if rc is None else join(a, R(keep(E(weights, rc), flip_mask(mask))))
