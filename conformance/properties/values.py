"""Values and gradients of parts and models against the reference, with the model's own weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from caduceus import reference
from caduceus.conformance.properties.bounds import GRADIENTS, VALUES, distance, largest, law
from caduceus.conformance.properties.calculus import directional_error, pull_back
from caduceus.conformance.properties.strands import (
    call_part,
    inside,
    mask_tensor,
    parameters,
    reference_part,
    seen,
    strand_tensor,
)
from caduceus.conformance.subjects import Array, answer, array, features


def reference_of(model: Any, weights: Mapping[str, Array] | None = None) -> Any:
    """The reference of a model, in the same mode."""
    values = {n: array(x) for n, x in model.weights().items()} if weights is None else weights
    return reference.build(model.spec, values).train(model.training)


@law("parts: values of the reference", VALUES)
def check_part_values(model: Any, path: str, x: Array, mask: Array | None = None) -> float:
    """A mixer or a head on one strand (B, L, C); at valid positions, where the answer has positions."""
    x = seen(model, x)
    expected = reference_part(model, path)(inside(model, path), x, mask)
    return distance(call_part(model, path, x, mask), expected, None if expected.ndim == 2 else mask)


@law("parts: gradients of the reference", GRADIENTS)
def check_part_gradients(model: Any, path: str, x: Array, mask: Array | None, seed: int) -> float:
    """Derivatives of a mixer or a head by its input and by each of its weights."""
    tensors = {"x": strand_tensor(model, x).requires_grad_(), **parameters(model, f"{path}.")}
    if path == "head" and "head.weight" not in model.weights():
        tensors["weight"] = model.head.weight
    y = model.get_submodule(path)(tensors["x"], mask_tensor(model, mask))
    f, point = reference_part(model, path), inside(model, path) | {"x": array(tensors["x"])}
    shared = _shared(model, path)

    def expected(moved: dict[str, Array]) -> tuple[Array]:
        weights = {n: moved[shared.get(n, n)] for n in point if n != "x"}
        return (_at_valid(f(weights, moved["x"], mask), mask),)

    return directional_error([y], tensors, expected, point, seed)


def _at_valid(y: Array, mask: Array | None) -> Array:
    return y if mask is None or y.ndim == 2 else np.where(mask[..., None], y, 0.0)


def _shared(model: Any, path: str) -> dict[str, str]:
    """Names in a part whose values are those of another name in the same part."""
    ties = {n: w.tied_to for n, w in model.spec.weights().items() if w.tied_to and w.tied_to.startswith(f"{path}.")}
    return {n[len(path) + 1 :]: tied[len(path) + 1 :] for n, tied in ties.items()}


@law("models: values of the reference", VALUES)
def check_model_values(model: Any, ids: Array, mask: Any = None) -> float:
    """What a model gives, and its features, for ids (B, L)."""
    expected = reference_of(model)
    return max(
        distance(answer(model, ids, mask), expected(ids, mask)),
        distance(features(model, ids, mask), expected.features(ids, mask)),
    )


@law("models: gradients of the reference", GRADIENTS)
def check_model_gradients(model: Any, ids: Array, mask: Any, seed: int, together: bool = False) -> float:
    """Derivatives of what a model gives by each of its weights; by all of them at once if ``together``."""
    tensors = dict(parameters(model))
    values = {n: array(x) for n, x in model.weights().items()}
    if together:
        return _together(model, tensors, values, ids, mask, seed)

    def expected(moved: dict[str, Array]) -> tuple[Array]:
        return (reference_of(model, values | moved)(ids, mask),)

    return directional_error([model(ids, mask)], tensors, expected, values, seed)


def _together(
    model: Any, tensors: Mapping[str, torch.Tensor], values: dict[str, Array], ids: Array, mask: Any, seed: int
) -> float:
    """One direction for all weights: the derivative along t of the model at weights + t directions."""
    rng = np.random.default_rng(seed)
    directions = {n: rng.standard_normal(tuple(x.shape)) for n, x in tensors.items()}
    y = model(ids, mask)
    cotangent = rng.standard_normal(tuple(y.shape))
    gradients = pull_back([y], dict(tensors), [cotangent])
    moved = reference.directional_derivative(lambda w: reference_of(model, w)(ids, mask), values, directions)
    found = sum((g * directions[n]).sum() for n, g in gradients.items())
    return largest(found - (cotangent * moved).sum()) / max(*map(largest, gradients.values()), 1e-30)
