"""How well each score ranks the variants whose truth is known, controls beside the model, training windows apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from caduceus.evaluate import auroc, spearman
from caduceus.recipes.variant_facts import oriented
from caduceus.recipes.variant_scoring import Truth
from caduceus.recipes.variant_text import COLUMNS

# What a damaging variant is expected to have: 1 a high value, -1 a low one. A cpg is common, hence held for tolerated.
EXPECTED = {
    "llr": -1,
    "ref_prob": 1,
    "distance": 1,
    "pll": -1,
    "untrained_llr": -1,
    "copied_llr": -1,
    "trinucleotide": -1,
    "cpg": -1,
    "tss_distance": -1,
}


def ranking(table: Path, truth: Truth) -> dict[str, Any]:
    """Group -> score -> the measure and its 95 % interval, from the table of a run.

    Groups: all; where intervals are known, "training" for those that lie in training intervals and "elsewhere". Each
    score is measured on the variants that have it.
    """
    columns = dict(_columns(table))
    known = ~np.isnan(columns["truth"])
    damaging = oriented(columns["truth"][known], truth.higher_is)
    groups = {"all": np.ones(len(damaging), dtype=bool)}
    if columns["split"].any():
        training = columns["split"][known] == _TRAIN
        groups |= {name: which for name, which in (("training", training), ("elsewhere", ~training)) if which.any()}
    return {
        group: {
            name: found
            for name, sign in EXPECTED.items()
            if (found := _measured(damaging[chosen], sign * columns[name][known][chosen]))
        }
        for group, chosen in groups.items()
    }


def _measured(damaging: np.ndarray, score: np.ndarray) -> dict[str, float | int | str]:
    has = ~np.isnan(score)
    damaging, score = damaging[has], score[has]
    if not len(score):
        return {}
    yes_or_no = set(np.unique(damaging).tolist()) <= {0.0, 1.0}
    found = auroc(damaging > 0, score) if yes_or_no else spearman(damaging, score)
    return {"measure": "auroc" if yes_or_no else "spearman", **{k: v for k, v in found._asdict().items() if v == v}}


_TRAIN, _OTHER = 1, 2


def _columns(table: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Numbers of each column (n,) float64; of split 1 for train, 2 for another, 0 for none."""
    wanted = [*list(COLUMNS)[:-1], "truth"]
    rows: list[list[float]] = []
    splits: list[int] = []
    with table.open(encoding="utf-8", errors="surrogateescape") as file:
        names = next(file).rstrip("\n").split("\t")
        at, split = [names.index(name) for name in wanted], names.index("split")
        for line in file:
            fields = line.rstrip("\n").split("\t")
            if fields[at[-1]]:
                rows.append([float(fields[i] or "nan") for i in at])
                splits.append(_TRAIN if fields[split] == "train" else _OTHER if fields[split] else 0)
    values = np.array(rows, dtype=np.float64).reshape(-1, len(wanted))
    yield from zip(wanted, values.T, strict=True)
    yield "split", np.array(splits, dtype=np.int8)
