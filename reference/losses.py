"""Losses in NumPy, float64 or complex128, as `caduceus.losses` defines them, to check values and gradients.

    masked LM       sum_i w_i CE(logits_i, label_i) / sum_i w_i   over the targets, w_i = 1 if no weights are given
    single label    mean_b CE(logits_b, label_b)
    multi label     mean of log(1 + e^x) - y x                     binary cross entropy of a logit x, target y in [0, 1]
    regression      mean of (x - y)^2

CE(x, k) = log(sum_j e^{x_j}) - x_k. Source: the authors' `cross_entropy` and `weighted_cross_entropy`; for classifiers
the convention of transformers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from caduceus.reference.arrays import Array, expect, log1p_exp, number


def cross_entropy(logits: Array, labels: Array) -> Array:
    """CE of logits (..., V) and integer labels (...), one value each."""
    shift = logits.real.max(axis=-1, keepdims=True)  # any shift gives the same value: this one cannot overflow
    total = np.log(np.exp(logits - shift).sum(axis=-1)) + shift[..., 0]
    return total - np.take_along_axis(logits, labels[..., None], axis=-1)[..., 0]


def masked_lm(logits: Any, labels: Any, loss_weights: Any = None, ignore_index: int = 4) -> tuple[Any, int]:
    """The loss and the number of targets; without targets, or if all their weights are 0, the loss is 0.

    Args:
        logits: (B, L, V). labels: (B, L) integers, ``ignore_index`` where there is no target.
        loss_weights: (B, L), read at targets only.
    """
    logits, labels = number(logits), np.asarray(labels)
    expect("labels", labels, logits.shape[:-1])
    target = labels != ignore_index
    weights = np.ones(labels.shape) if loss_weights is None else number(loss_weights)
    expect("loss_weights", weights, labels.shape)
    weights = np.where(target, weights, 0.0)
    safe = np.where(target[..., None], logits, 0.0)
    total = (cross_entropy(safe, np.where(target, labels, 0)) * weights).sum()
    norm = weights.sum()
    return (total / norm if norm != 0 else np.zeros((), total.dtype)), int(target.sum())


def classification(logits: Any, labels: Any, problem_type: str) -> Any:
    """The loss of sequence-level logits (B, labels).

    Args:
        labels: single_label_classification: (B,) integers; multi_label_classification: (B, labels);
            regression: (B, labels), or (B,) for one label.

    Raises:
        ValueError: the problem type is unknown, or labels do not fit the logits.
    """
    logits, labels = number(logits), np.asarray(labels)
    if problem_type == "single_label_classification":
        expect("labels", labels, logits.shape[:1])
        return cross_entropy(logits, labels).mean()
    if problem_type == "multi_label_classification":
        expect("labels", labels, logits.shape)
        return (log1p_exp(logits) - number(labels) * logits).mean()
    if problem_type == "regression":
        labels = labels[:, None] if labels.ndim == 1 else labels
        expect("labels", labels, logits.shape)
        error = logits - number(labels)
        return (error * error).mean()
    known = "single_label_classification, multi_label_classification or regression"
    raise ValueError(f"problem_type is {problem_type!r}, expected {known}")
