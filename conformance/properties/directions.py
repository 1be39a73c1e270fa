"""Which outputs depend on which inputs: causal, backwards, or both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from caduceus.alphabet import BASES
from caduceus.conformance.inputs import random_bases
from caduceus.conformance.properties.bounds import EXACT, VALUES, distance, law
from caduceus.conformance.properties.strands import call_part
from caduceus.conformance.subjects import Array, answer, features


def reach(model: Any, length: int, seed: int = 0, strand: int | None = None) -> Array:
    """(L, L) bool: whether the output at position i moves, in any bit, when the base at position j changes.

    Args:
        strand: look at that strand of the features, in its own order, instead of the answer; positions of both strands
            of an answer in strands count as one.
    """
    ids = random_bases(seed, 1, length)
    before = _by_position(model, ids, strand)
    moved = np.zeros((length, length), dtype=bool)
    for j in range(length):
        for base in BASES:
            changed = ids.copy()
            changed[0, j] = base
            moved[:, j] |= (_by_position(model, changed, strand) != before).any(axis=1)
    return moved


def _by_position(model: Any, ids: Array, strand: int | None) -> Array:
    """(L, values) of one sequence."""
    y = (answer(model, ids) if strand is None else features(model, ids))[0]
    if strand is not None:
        return y[strand] if y.ndim == 3 else y
    return np.concatenate([y[0], y[1, ::-1]], axis=-1) if y.ndim == 3 else y


@law("directions: pairs of positions without influence", EXACT)
def check_reads_everything(model: Any, length: int, seed: int = 0) -> float:
    """How many outputs do not depend on how many inputs, in a model that reads both ways."""
    return float((~reach(model, length, seed)).sum())


@law("directions: outputs that do not depend on both sides", EXACT)
def check_both_sides(model: Any, length: int, seed: int = 0) -> float:
    """How many inner outputs do not depend on any input before them, or on any after."""
    moved = reach(model, length, seed)
    inner = range(1, length - 1)
    return float(sum(not (moved[i, :i].any() and moved[i, i + 1 :].any()) for i in inner))


@law("directions: influence of what comes later in walking direction", EXACT)
def check_one_way(model: Any, length: int, reverse: bool = False, strand: int = 0, seed: int = 0) -> float:
    """How many features of a strand that is walked one way depend on an input that comes later on that walk.

    Strand 1 is in its own order, so an input's position there is counted from the other end.
    """
    moved = reach(model, length, seed, strand)
    moved = moved[:, ::-1] if strand == 1 else moved
    ahead = np.tril(moved, -1) if reverse else np.triu(moved, 1)
    behind = np.triu(moved) if reverse else np.tril(moved)
    return float(ahead.sum() + (behind.sum() != length * (length + 1) // 2))


@law("directions: exchanged, on the reversed input", VALUES)
def check_exchanged_directions(model: Any, exchanged: Any, x: Array, mask: Array | None = None) -> float:
    """The first mixer with its directions' weights exchanged gives, for the reversed strand, the reversed output."""
    backwards = call_part(exchanged, "mixers.0", x[:, ::-1], None if mask is None else mask[:, ::-1])
    return distance(backwards[:, ::-1], call_part(model, "mixers.0", x, mask))


def exchange(weights: Mapping[str, Array]) -> dict[str, Array]:
    """The weights of a model with those of the two directions of every BiMamba exchanged; shared ones stay."""
    found = dict(weights)
    for name in weights:
        other = name.replace(".rev.", ".fwd.") if ".rev." in name else name.replace(".fwd.", ".rev.")
        if other in weights:
            found[name] = weights[other]
    return found
