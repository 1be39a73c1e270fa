"""A part of the training split held out for validation."""

from __future__ import annotations

from collections import Counter
from math import ceil
from typing import Literal

import numpy as np

from caduceus.data.labels import Labelled
from caduceus.extras import require

Way = Literal["stratified", "torch", "hub"]


def hold_out(data: Labelled, seed: int, *, share: float = 0.1, way: Way = "stratified") -> tuple[Labelled, Labelled]:
    """The rows to train on and the rows to validate on, both in the order of the split.

    Args:
        share: of the rows that validate.
        way: "stratified" keeps the share of each class, of each set of labels, or of each fifth of a regression's
            first target; "torch" and "hub" draw rows at random as torch's random_split and Hugging Face's
            train_test_split do, for the official protocol.

    Raises:
        ValueError: a class has a single row, or there are too few rows to hold any out.

    >>> from caduceus.data import Table, labelled
    >>> table = Table("t.csv", {"seq": ["A"] * 40, "label": ["0"] * 30 + ["1"] * 10}, np.arange(40))
    >>> train, valid = hold_out(labelled(table), seed=0)
    >>> train.counts(), valid.counts()
    ({'0': 27, '1': 9}, {'0': 3, '1': 1})
    """
    chosen = {"stratified": _stratified, "torch": _by_torch, "hub": _by_hub}[way](data, seed, share)
    held = np.zeros(len(data), dtype=bool)
    held[chosen] = True
    if held.all() or not held.any():
        raise ValueError(f"{data.table.source}: {len(data)} rows are too few to hold {share:.0%} out for validation")
    return data.take(~held), data.take(held)


def _stratified(data: Labelled, seed: int, share: float) -> np.ndarray:
    strata = _strata(data)
    # A set of labels that is too rare to have a row in a share has no share to keep.
    least = ceil(1 / share) if data.problem == "multi_label_classification" else 2
    rare = [name for name, count in Counter(strata).items() if count < least]
    if rare and data.problem == "single_label_classification":
        raise ValueError(
            f"{data.table.source}: class {', '.join(map(repr, rare))} has a single row, so it cannot be both trained "
            "and validated on; add rows, leave the class out, or give a validation file"
        )
    # They share a stratum.
    strata = ["" if name in rare else name for name in strata]
    if Counter(strata)[""] == 1:
        strata = [name or next((other for other in strata if other), "") for name in strata]
    count = max(ceil(share * len(data)), len(set(strata)))
    if len(data) - count < len(set(strata)):
        raise ValueError(f"{data.table.source}: {len(data)} rows are too few to hold {count} out for validation")
    splitter = require("sklearn.model_selection", "evaluate").StratifiedShuffleSplit(
        1, test_size=count, random_state=seed
    )
    _, held = next(splitter.split(np.zeros(len(data)), strata))
    return np.asarray(held)


def _strata(data: Labelled) -> list[str]:
    if data.problem == "single_label_classification":
        return [data.classes[label] for label in data.labels]
    if data.problem == "multi_label_classification":
        return [";".join(map(str, row)) for row in data.labels.tolist()]
    fifths = np.quantile(data.labels[:, 0], [0.2, 0.4, 0.6, 0.8])
    return [str(part) for part in np.searchsorted(fifths, data.labels[:, 0])]


def _by_torch(data: Labelled, seed: int, share: float) -> np.ndarray:
    """``random_split(data, [share, 1 - share])``: the first part, of a permutation by torch's generator."""
    import torch

    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed)).numpy()
    # random_split gives each part the whole rows of its share, and those that are left over to the first parts.
    sizes = [int(len(data) * share), int(len(data) * (1 - share))]
    left = len(data) - sum(sizes)
    return np.asarray(order[: sizes[0] + (left + 1) // 2])


def _by_hub(data: Labelled, seed: int, share: float) -> np.ndarray:
    """``train_test_split(test_size=share, seed=seed)``: the first rows of a permutation by NumPy's generator."""
    return np.random.default_rng(seed).permutation(len(data))[: ceil(share * len(data))]
