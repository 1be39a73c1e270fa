"""The losses against the reference: values and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import caduceus
from caduceus.conformance.properties.bounds import EXACT, GRADIENTS, VALUES, distance, largest, law
from caduceus.conformance.properties.calculus import directional_error
from caduceus.conformance.subjects import Array, array
from caduceus.reference import losses as reference

Call = Callable[..., Any]


def _masked_lm(logits: Array, labels: Array, weights: Array | None, dtype: str) -> tuple[Call, Call, torch.Tensor]:
    x = torch.tensor(logits, dtype=getattr(torch, dtype), requires_grad=True)
    w = None if weights is None else torch.tensor(weights).to(x)

    def found(y: torch.Tensor) -> torch.Tensor:
        return caduceus.losses.masked_lm(y, torch.tensor(labels), w)[0]

    def expected(y: Array) -> Any:
        return reference.masked_lm(y, labels, None if w is None else array(w))[0]

    return found, expected, x


def _classification(logits: Array, labels: Array, kind: str, dtype: str) -> tuple[Call, Call, torch.Tensor]:
    x = torch.tensor(logits, dtype=getattr(torch, dtype), requires_grad=True)
    target = torch.tensor(labels)
    seen = array(target.to(x)) if target.is_floating_point() else labels
    return (
        lambda y: caduceus.losses.classification(y, target, kind),
        lambda y: reference.classification(y, seen, kind),
        x,
    )


def _errors(found: Call, expected: Call, x: torch.Tensor, seed: int) -> tuple[float, float]:
    """Error of the value, and of the derivative by the logits."""
    loss = found(x)
    point = {"x": array(x)}
    by_logits = directional_error([loss], {"x": x}, lambda at: (np.asarray(expected(at["x"])),), point, seed)
    return distance(array(loss), np.asarray(expected(point["x"]))), by_logits


@law("losses: masked language model, values of the reference", VALUES)
def check_masked_lm(logits: Array, labels: Array, weights: Array | None, dtype: str) -> float:
    return _errors(*_masked_lm(logits, labels, weights, dtype), seed=0)[0]


@law("losses: masked language model, gradients of the reference", GRADIENTS)
def check_masked_lm_gradients(logits: Array, labels: Array, weights: Array | None, dtype: str, seed: int) -> float:
    return _errors(*_masked_lm(logits, labels, weights, dtype), seed=seed)[1]


@law("losses: classification, values of the reference", VALUES)
def check_classification(logits: Array, labels: Array, kind: str, dtype: str) -> float:
    return _errors(*_classification(logits, labels, kind, dtype), seed=0)[0]


@law("losses: classification, gradients of the reference", GRADIENTS)
def check_classification_gradients(logits: Array, labels: Array, kind: str, dtype: str, seed: int) -> float:
    return _errors(*_classification(logits, labels, kind, dtype), seed=seed)[1]


@law("losses: without targets", EXACT)
def check_no_targets(logits: Array, weights: Array | None, dtype: str) -> float:
    """0 with a graph: the backward pass gives zeros, never NaN."""
    x = torch.tensor(logits, dtype=getattr(torch, dtype), requires_grad=True)
    labels = torch.full(logits.shape[:2], 4)
    w = None if weights is None else torch.tensor(weights).to(x)
    loss, targets = caduceus.losses.masked_lm(x, labels, w)
    loss.backward()
    return max(largest(array(loss)), largest(array(x.grad)), float(targets))


@law("losses: rc of logits and labels", VALUES)
def check_loss_is_invariant(model: Any, ids: Array, labels: Array) -> float:
    """The language model's loss on a sequence is its loss on the reverse complement."""
    rc = model.space_in.act
    with torch.no_grad():
        here, n = caduceus.losses.masked_lm(model(ids), torch.tensor(labels))
        there, m = caduceus.losses.masked_lm(model(rc(ids)), torch.tensor(rc(labels)))
    return distance(array(here), array(there)) + abs(n - m)
