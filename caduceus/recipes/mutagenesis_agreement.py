"""How well the map of a locus agrees with what was measured, controls beside the model, training intervals apart.

Two questions, for each score, oriented so that it is high where a change is expected to do harm (`EXPECTED`):

magnitude   Spearman with the size of the effect: does a change that the model finds improbable do more?
direction   Spearman with the effect's negative: does it lower what was measured?

Positions are drawn for the intervals, as the changes of one base depend on each other; neighbouring positions do too,
so that intervals are narrow rather than wide. ``gain``: the score of ``llr`` minus this one, on the same draws.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from caduceus.evaluate.intervals import Draws
from caduceus.evaluate.metrics import Predictions
from caduceus.recipes.mutagenesis_table import LETTERS, Piece, is_reference, of_reference
from caduceus.recipes.variant_ranking import EXPECTED

OWN = "llr"
NAMES = {
    OWN: "this model: llr",
    "gradient": "this model: gradient",
    "untrained_llr": "the same network, untrained",
    "copied_llr": "reference copied to the change",
    "trinucleotide": "trinucleotide counts",
    "cpg": "transition at a CpG",
    "tss_distance": "distance to the nearest start",
}
MEASURES = {"magnitude": "size of the effect", "direction": "direction of the effect"}


def agreement(pieces: Iterable[Piece], resamples: int) -> dict[str, Any]:
    """Group -> "rows", "positions", "in_training" and measure -> score -> its interval and gain.

    Groups: all; "training" and "elsewhere" where some lie in training intervals and some do not. "in_training" of the
    rows lie there; None where no intervals were given.
    """
    columns, splits, place = _measured(pieces)
    training = np.array([split == "train" for split in splits], dtype=bool)
    groups = {"all": np.ones(len(place), dtype=bool)}
    if training.any() and not training.all():
        groups |= {"training": training, "elsewhere": ~training}
    found = {}
    for name, chosen in groups.items():
        found[name] = _compared({key: column[chosen] for key, column in columns.items()}, place[chosen], resamples)
        found[name]["in_training"] = int(training[chosen].sum()) if any(splits) else None
    return found


def _compared(columns: dict[str, np.ndarray], place: np.ndarray, resamples: int) -> dict[str, Any]:
    effect = columns["measured"]
    truths = {"magnitude": np.abs(effect), "direction": -effect}
    found: dict[str, Any] = {"rows": len(effect), "positions": len(np.unique(place))}
    for measure, truth in truths.items():
        drawn = {
            name: Draws.of("spearman", _expected(truth, name, columns[name]), resamples=resamples, groups=place)
            for name in NAMES
            if name in columns
        }
        found[measure] = {name: draws.interval().to_dict() for name, draws in drawn.items()}
        for name in drawn.keys() - {OWN}:
            found[measure][name]["gain"] = drawn[OWN].minus(drawn[name]).interval().to_dict()
    return found


def _expected(truth: np.ndarray, name: str, score: np.ndarray) -> Predictions:
    """A score, high where harm is expected, beside the truth."""
    return Predictions(truth[:, None], (EXPECTED.get(name, -1) * score)[:, None], "regression")


def _measured(pieces: Iterable[Piece]) -> tuple[dict[str, np.ndarray], list[str], np.ndarray]:
    """Scores and effects by column, splits and positions of the changes that have them all; each change once."""
    rows: dict[tuple[str, int, str], dict[str, float]] = {}
    splits: list[str] = []
    for piece in pieces:
        values = dict(piece.numbers)
        values["copied_llr"] = np.repeat(of_reference(piece, OWN)[:, None], len(LETTERS), 1)
        if "gradient" in values:
            values["gradient"] = values["gradient"] - of_reference(piece, "gradient")[:, None]
        known = ~np.isnan(values.get("measured", np.full((len(piece.reference), len(LETTERS)), np.nan)))
        for i, j in np.argwhere(known & ~is_reference(piece)).tolist():
            key = (piece.locus.contig, piece.start + i, LETTERS[j])
            row = {name: float(column[i, j]) for name, column in values.items() if name in NAMES or name == "measured"}
            if key not in rows and not any(map(np.isnan, row.values())):
                rows[key] = row
                splits.append(piece.splits[i])
    names = set.intersection(*(set(row) for row in rows.values())) if rows else {"measured"}
    columns = {name: np.array([row[name] for row in rows.values()]) for name in names}
    _, place = np.unique([f"{contig}:{start}" for contig, start, _ in rows], return_inverse=True)
    return columns, splits, place
