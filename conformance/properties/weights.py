"""Weights: the same for every backend, in and out, through files, and where training starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import caduceus
from caduceus.conformance.properties.bounds import EXACT, distance, largest, law
from caduceus.conformance.subjects import Array, answer, array, dtype_of
from caduceus.spec import Spec


def difference(found: Mapping[str, Any], expected: Mapping[str, Any]) -> float:
    """Largest difference of two sets of weights; infinite if their names differ."""
    if found.keys() != expected.keys():
        return float("inf")
    return max((distance(array(found[n]), array(expected[n])) for n in expected), default=0.0)


@law("weights: those given come back", EXACT)
def check_weights_kept(model: Any, given: Mapping[str, Array]) -> float:
    """`weights()` of a model is what it was built from, rounded to its dtype."""
    narrow = np.float32 if dtype_of(model) == "float32" else np.float64
    return difference(model.weights(), {n: x.astype(narrow) for n, x in given.items()})


@law("weights: one seed, one set of weights on every backend", EXACT)
def check_same_seed(model: Any, other: Any) -> float:
    """Fresh models of one spec and seed."""
    return difference(model.weights(), other.weights())


@law("weights: saved and loaded", EXACT)
def check_saved(model: Any, folder: str | os.PathLike[str], layout: str, backend: Any, ids: Array) -> float:
    """Weights, spec and answers of a model that went through a folder; infinite if the spec changed."""
    caduceus.save_pretrained(model, folder, layout=layout)
    here = {"dtype": dtype_of(model), "device": next(model.parameters()).device} if hasattr(model, "parameters") else {}
    again = caduceus.load_pretrained(folder, backend=backend, **here)
    if again.spec != model.spec:
        return float("inf")
    return max(difference(again.weights(), model.weights()), largest(answer(again, ids) - answer(model, ids)))


@law("specs: YAML and back", EXACT)
def check_yaml(spec: Spec, folder: Path) -> float:
    """The spec that is read is the spec that was written, and is written the same again; 1 if not."""
    path = folder / "spec.yaml"
    path.write_text(spec.to_yaml(), encoding="utf-8")
    again = caduceus.load_spec(path)
    same = again == spec and again.to_yaml() == spec.to_yaml() and type(again).model_validate(spec.to_dict()) == spec
    return 0.0 if same else 1.0


STATISTICS = {"float32": 1.0, "float64": 1.0}


@law("weights: initial values, in units of what chance allows", STATISTICS)
def check_initial(values: Array, official: Mapping[str, Any]) -> float:
    """Shape, mean, standard deviation and extremes of fresh weights against those of the authors' fresh weights.

    Means may differ by 6 standard errors of a difference, standard deviations by as many; extremes by a sixth of the
    range. What is constant must be the same constant.
    """
    if list(values.shape) != official["shape"]:
        return float("inf")
    mean, std, low, high = (official[k] for k in ("mean", "std", "min", "max"))
    if std == 0.0:
        return 0.0 if values.min() == low and values.max() == high else float("inf")
    allowed = 6 * std * np.sqrt(2 / values.size)
    errors = [abs(values.mean() - mean) / allowed, abs(values.std() - std) / allowed]
    errors += [abs(values.min() - low) * 6 / (high - low), abs(values.max() - high) * 6 / (high - low)]
    return float(max(errors))
