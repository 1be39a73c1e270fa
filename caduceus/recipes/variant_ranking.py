"""How well each score ranks the variants whose truth is known, controls beside the model, training windows apart."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from caduceus.evaluate import auroc, spearman
from caduceus.recipes.variant_facts import oriented
from caduceus.recipes.variant_scoring import Truth
from caduceus.recipes.variant_text import COLUMNS

_POINTS = 300
# What a damaging variant is expected to have: 1 a high value, -1 a low one. A cpg is common, hence held for tolerated;
# so is a gain, by the same token as a high pll is.
EXPECTED = {
    "llr": -1,
    "ref_prob": 1,
    "distance": 1,
    "pll": -1,
    "pll_mean": -1,
    "untrained_llr": -1,
    "untrained_distance": 1,
    "untrained_pll_mean": -1,
    "copied_llr": -1,
    "trinucleotide": -1,
    "cpg": -1,
    "gained": -1,
    "tss_distance": -1,
}


def ranking(table: Path, truth: Truth) -> dict[str, Any]:
    """Group -> score -> the measure and its 95 % interval, from the table of a run.

    Groups: all; where intervals are known, "training" for those that lie in training intervals and "elsewhere". Each
    score is measured on the variants that have it.
    """
    damaging, columns = _held_against(table, truth)
    groups = {"all": np.ones(len(damaging), dtype=bool)}
    if columns["split"].any():
        training = columns["split"] == _TRAIN
        groups |= {name: which for name, which in (("training", training), ("elsewhere", ~training)) if which.any()}
    return {
        group: {
            name: found
            for name, sign in EXPECTED.items()
            if (found := _measured(damaging[chosen], sign * columns[name][chosen]))
        }
        for group, chosen in groups.items()
    }


def roc(table: Path, truth: Truth) -> dict[str, np.ndarray]:
    """Score -> shares of the tolerated and of the damaging variants that lie above each threshold, (2, points).

    Empty where the truth is no yes or no, or all of one kind.
    """
    damaging, columns = _held_against(table, truth)
    if not _yes_or_no(damaging) or len(np.unique(damaging)) < 2:
        return {}
    found = {}
    for name, sign in EXPECTED.items():
        has = ~np.isnan(columns[name])
        if len(np.unique(damaging[has])) == 2:
            found[name] = _curve(damaging[has] > 0, sign * columns[name][has])
    return found


def _curve(positive: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Equal scores are called together; `_POINTS` of the thresholds at most."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    shares = [np.cumsum(which[order])[last] / which.sum() for which in (~positive, positive)]
    points = np.concatenate([np.zeros((2, 1)), np.array(shares)], 1)
    return points[:, np.unique(np.linspace(0, points.shape[1] - 1, _POINTS).round().astype(int))]


def _held_against(table: Path, truth: Truth) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """How damaging each variant is whose truth is known, and its other columns."""
    columns = dict(_columns(table))
    known = ~np.isnan(columns["truth"])
    return oriented(columns["truth"][known], truth.higher_is), {name: each[known] for name, each in columns.items()}


def _yes_or_no(damaging: np.ndarray) -> bool:
    return set(np.unique(damaging).tolist()) <= {0.0, 1.0}


def _measured(damaging: np.ndarray, score: np.ndarray) -> dict[str, float | int | str]:
    has = ~np.isnan(score)
    damaging, score = damaging[has], score[has]
    if not len(score):
        return {}
    yes_or_no = _yes_or_no(damaging)
    found = auroc(damaging > 0, score) if yes_or_no else spearman(damaging, score)
    return {"measure": "auroc" if yes_or_no else "spearman", **{k: v for k, v in found._asdict().items() if v == v}}


_TRAIN, _OTHER = 1, 2


def _columns(table: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Numbers of each column (n,) float64; of split 1 for train, 2 for another, 0 for none."""
    wanted = [*list(COLUMNS)[:-1], "truth"]
    columns = [array("d") for _ in wanted]  # of eight bytes each, where lists of numbers would take thirty
    splits = array("b")
    with table.open(encoding="utf-8", errors="surrogateescape") as file:
        names = next(file).rstrip("\n").split("\t")
        at, split = [names.index(name) for name in wanted], names.index("split")
        for line in file:
            fields = line.rstrip("\n").split("\t")
            if fields[at[-1]]:
                for column, i in zip(columns, at, strict=True):
                    column.append(float(fields[i] or "nan"))
                splits.append(_TRAIN if fields[split] == "train" else _OTHER if fields[split] else 0)
    yield from zip(wanted, map(np.array, columns), strict=True)
    yield "split", np.array(splits, dtype=np.int8)
