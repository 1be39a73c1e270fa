"""Checks of checkpoints: what is saved comes back, and what is wrong with a file is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import caduceus
from caduceus import parts
from caduceus.conformance.checkpoints.folders import identical, small, small_lm, stored, write_official, written
from caduceus.conformance.mutants.check import Check, refused

Tensors = dict[str, np.ndarray]
LAYER = "caduceus.backbone.layers.1."
TABLE_MAP = "caduceus.backbone.embeddings.word_embeddings.complement_map"
SPECS = (
    small_lm(),
    small_lm(layers=3),
    small_lm(layers=3, mixer=parts.Mamba(d_state=3)),
    small_lm("ph", mixer=parts.BiMamba(mamba=parts.Mamba(d_state=3), fusion="multiply", tie="none")),
    small("ph", head=parts.SequenceClassifier(num_labels=3, conjoin="always", pooling="last")),
)


def round_trip() -> Iterator[bool]:
    """Both layouts; what is loaded is saved with the same bits again."""
    for spec in SPECS:
        model = caduceus.build(spec, seed=3)
        for layout in ("caduceus", "official"):
            with TemporaryDirectory() as folder:
                caduceus.save_pretrained(model, folder, layout=layout)
                again = caduceus.load_pretrained(folder)
            yield again.spec == model.spec
            yield identical(again.weights(), model.weights())


def map_by_key() -> Iterator[bool]:
    """The complement map of a config whose keys were sorted as text."""
    with TemporaryDirectory() as folder:
        config, tensors = stored(written(Path(folder) / "published", small_lm()))
        by_text = {key: config["complement_map"][key] for key in sorted(config["complement_map"])}
        yield list(by_text)[:3] == ["0", "1", "10"]
        edited = write_official(Path(folder) / "sorted", {**config, "complement_map": by_text}, tensors)
        yield caduceus.load_pretrained(edited).spec == small_lm()


def _put(key: str, value: Callable[[np.ndarray], Any]) -> Callable[[Tensors], Any]:
    return lambda tensors: tensors.update({key: value(tensors[key])})


BROKEN: tuple[tuple[str, Callable[[Tensors], Any], str], ...] = (
    ("ps", lambda t: t.update({"caduceus.extra": np.zeros(2)}), "unexpected ['caduceus.extra']"),
    ("ps", lambda t: t.pop(LAYER + "norm.weight"), f"missing ['{LAYER}norm.weight']"),
    ("ps", _put(LAYER + "norm.weight", lambda x: np.where(np.arange(8) == 3, np.nan, x).astype(x.dtype)), "NaN or inf"),
    ("ps", _put(TABLE_MAP, lambda x: np.arange(16)), f"{TABLE_MAP} contradicts complement_map"),
    ("ps", _put(TABLE_MAP, lambda x: np.roll(x, 1)), "not an involution"),
    (
        "ph",
        lambda t: t.update({LAYER + "mixer.mamba_rev.in_proj.weight": t[LAYER + "mixer.mamba_fwd.in_proj.weight"] + 1}),
        "differ, expected equal: the model ties them",
    ),
    ("ps", _put(LAYER + "norm.weight", lambda x: x[:7]), "has shape (7,), expected (8,)"),
)


def refusals() -> Iterator[bool]:
    """A key too many, one too few, NaN, wrong maps, unequal duplicates of a tied tensor, a wrong shape."""
    with TemporaryDirectory() as folder:
        for equivariance, break_it, message in BROKEN:
            config, tensors = stored(written(Path(folder) / equivariance, small_lm(equivariance)))
            break_it(tensors)
            broken = write_official(Path(folder) / "broken", config, tensors)
            yield refused(message, caduceus.load_pretrained, broken)


CHECKS: dict[str, Check] = {
    "round trip of files": round_trip,
    "complement map by key": map_by_key,
    "refused files": refusals,
}
