"""Rows by their distance from the nearest start of transcription, and which of them train, choose and test."""

from __future__ import annotations

from itertools import pairwise
from math import inf
from typing import NamedTuple

import numpy as np

from caduceus.recipes.vep_eqtl import VepEqtl
from caduceus.recipes.vep_protocol import draws, in_bucket
from caduceus.recipes.vep_table import TEST, TRAIN, VALID

OVERALL = "all distances"
# Rows of one stretch are on one side: a variant has a row for each tissue, and its neighbours share its windows.
_STRETCH = 1_000_000
_HELD_OUT_SEED = 0


class Bucket(NamedTuple):
    """Numbers of rows.

    Attributes:
        train: those that SVMs may be trained on, ``draws`` those that each seed's is.
        valid: those that C is chosen by. test: those that are scored.
        problem: why nothing can be said of this bucket; "" if something can.
    """

    name: str
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    draws: list[np.ndarray]
    problem: str


def names(edges: tuple[int, ...]) -> list[tuple[str, float, float]]:
    """Name, nearest and farthest of each bucket, and of the one of all distances.

    >>> [name for name, _, _ in names((30_000, 100_000))]
    ['0 to 30 kb', '30 to 100 kb', '100 kb and more', 'all distances']
    """
    inner = [(f"{low / 1000:g} to {high / 1000:g} kb", float(low), float(high)) for low, high in pairwise((0, *edges))]
    return [*inner, (f"{edges[-1] / 1000:g} kb and more", float(edges[-1]), inf), (OVERALL, 0.0, inf)]


def held_out(contigs: np.ndarray, starts: np.ndarray, share: float) -> np.ndarray:
    """Which rows (n,) are held out: whole stretches, drawn until they hold the share; one is always left to train."""
    if not len(starts):
        return np.zeros(0, dtype=bool)
    stretches, which = np.unique(np.stack([contigs, starts // _STRETCH]), axis=1, return_inverse=True)
    which = which.reshape(-1)
    order = np.random.default_rng(_HELD_OUT_SEED).permutation(stretches.shape[1])
    rows = np.cumsum(np.bincount(which, minlength=len(order))[order])
    taken = min(int(np.searchsorted(rows, share * len(which))) + 1, len(order) - 1)
    return np.isin(which, order[:taken])


def buckets(recipe: VepEqtl, split: np.ndarray, distance: np.ndarray, labels: np.ndarray) -> list[Bucket]:
    """The buckets of rows: split (n,) of TRAIN, VALID, TEST, or less than 0 for a row that is left out."""
    found = []
    for name, low, high in names(recipe.edges):
        inside = in_bucket(distance, low, high, recipe.protocol)
        train, valid, test = (np.flatnonzero(inside & (split == each)) for each in (TRAIN, VALID, TEST))
        problem = _problem("test rows", labels[test]) or _problem("training rows", labels[train])
        drawn = [] if problem else draws(train, recipe.rows, recipe.seeds, recipe.protocol)
        for seed, rows in zip(recipe.seeds, drawn, strict=False):  # one draw serves all seeds where it is of all rows
            problem = problem or _problem(f"training rows drawn by seed {seed}", labels[rows])
        found.append(Bucket(name, train, valid, test, drawn, problem))
    return found


def _problem(which: str, labels: np.ndarray) -> str:
    if not len(labels):
        return f"no {which}"
    if len(np.unique(labels)) > 1:
        return ""
    return f"its {len(labels):,} {which} are all of label {labels[0]}: there is nothing to tell apart"
