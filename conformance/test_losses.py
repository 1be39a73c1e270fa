"""The losses against the reference, in both precisions: values, gradients, and batches without targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import caduceus
from caduceus.conformance import inputs, strategies
from caduceus.conformance.catalogue import CATALOGUE
from caduceus.conformance.properties import losses
from caduceus.conformance.subjects import Case, Subject

Hold = Callable[..., None]
PROBLEMS = ("single_label_classification", "multi_label_classification", "regression")
dtypes = st.sampled_from(["float32", "float64"])


@st.composite
def token_batches(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Logits, labels with at least one target, weights of the targets or none."""
    rng = np.random.default_rng(draw(strategies.seeds))
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 6)))
    logits = draw(st.sampled_from([0.1, 1.0, 30.0])) * rng.standard_normal((*shape, 16))
    labels = rng.choice([4, 7, 8, 9, 10], shape)
    labels[0, 0] = 7
    return logits, labels, draw(st.sampled_from([None, rng.random(shape) + 0.1]))


@given(token_batches(), dtypes, strategies.seeds)
def test_masked_lm(hold: Hold, batch: Any, dtype: str, seed: int) -> None:
    hold(losses.check_masked_lm, *batch, dtype=dtype)
    logits, labels, weights = batch
    # Where one logit is far above the rest, the whole gradient is the rounding of p - 1.
    near = logits * min(1.0, 4.0 / np.abs(logits).max())
    hold(losses.check_masked_lm_gradients, near, labels, weights, dtype=dtype, seed=seed)
    hold(losses.check_no_targets, logits, weights, dtype=dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_masked_lm_whose_targets_weigh_nothing(dtype: str) -> None:
    """No weight on any target is like no target: 0, and gradients of 0."""
    x = torch.randn(1, 3, 16, dtype=getattr(torch, dtype), requires_grad=True)
    labels = torch.tensor([[7, 8, 4]])
    loss, targets = caduceus.losses.masked_lm(x, labels, torch.zeros(1, 3))
    loss.backward()
    assert (loss.item(), targets) == (0.0, 2)
    assert not x.grad.any()


@given(st.sampled_from(PROBLEMS), dtypes, strategies.seeds)
def test_classification(hold: Hold, kind: str, dtype: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = 3 * rng.standard_normal((4, 3))
    labels = {
        "single_label_classification": rng.integers(0, 3, 4),
        "multi_label_classification": rng.integers(0, 2, (4, 3)).astype(float),
        "regression": rng.standard_normal((4, 3)),
    }[kind]
    hold(losses.check_classification, logits, labels, kind=kind, dtype=dtype)
    hold(losses.check_classification_gradients, logits, labels, kind=kind, dtype=dtype, seed=seed)


def test_regression_of_one_label_takes_one_value_a_row(hold: Hold) -> None:
    for dtype in ("float32", "float64"):
        hold(losses.check_classification, np.ones((3, 1)), np.arange(3.0), kind="regression", dtype=dtype)


@given(strategies.seeds)
def test_loss_is_the_same_on_the_other_strand(candidate: Subject, hold: Hold, seed: int) -> None:
    """[PAD] labels, which are ignored, are their own complement."""
    case = Case(CATALOGUE["ps-masked_lm"], candidate)
    labels = np.random.default_rng(seed).choice([4, 7, 8, 9, 10], (2, 9))
    hold(losses.check_loss_is_invariant, case, inputs.random_bases(seed, 2, 9), labels)


@pytest.mark.parametrize(
    ("logits", "labels", "options", "message"),
    [
        ((2, 3, 16), (2, 4), {}, r"logits have shape \(2, 3, 16\) and labels \(2, 4\)"),
        ((2, 16), (2,), {}, r"expected \(B, L, V\), \(B, L\)"),
        ((2, 3, 16), (2, 3), {"loss_weights": torch.ones(3)}, r"loss_weights have shape \(3,\), expected \(2, 3\)"),
    ],
)
def test_masked_lm_refuses_what_does_not_fit(logits: Any, labels: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        caduceus.losses.masked_lm(torch.zeros(logits), torch.full(labels, 7), **options)


@pytest.mark.parametrize(
    ("kind", "labels", "message"),
    [
        ("single_label_classification", (2, 3), r"expected \(2,\)"),
        ("multi_label_classification", (2,), r"expected \(2, 3\)"),
        ("regression", (2, 1), r"expected \(2, 3\)"),
        ("ranking", (2,), "problem_type is 'ranking', expected single_label_classification"),
    ],
)
def test_classification_refuses_what_does_not_fit(kind: str, labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        caduceus.losses.classification(torch.zeros(2, 3), torch.zeros(labels), kind)


@pytest.mark.parametrize("label", [-100, -1, 16])
def test_labels_outside_the_vocabulary_are_refused(label: int) -> None:
    """torch passes over -100 in silence, which would count it among the targets."""
    with pytest.raises(ValueError, match=rf"labels hold {label}, expected ids from 0 to 15, or ignore_index=4"):
        caduceus.losses.masked_lm(torch.zeros(1, 2, 16), torch.tensor([[label, 7]]))


def test_arrays_are_labels_too() -> None:
    loss, targets = caduceus.losses.masked_lm(torch.zeros(1, 2, 16), np.array([[7, 4]]))
    assert (round(float(loss), 6), targets) == (round(float(np.log(16)), 6), 1)


def test_an_empty_batch_costs_nothing() -> None:
    empty = torch.zeros(0, 3, requires_grad=True)
    loss = caduceus.losses.classification(empty, torch.zeros(0, dtype=torch.long), "single_label_classification")
    loss.backward()
    assert loss.item() == 0.0
