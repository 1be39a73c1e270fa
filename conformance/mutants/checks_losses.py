"""Checks of the losses, against the reference's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from caduceus.alphabet import PAD
from caduceus.conformance import inputs
from caduceus.conformance.mutants.check import Check, holds
from caduceus.conformance.properties import losses


def _language() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits (2, 7, 16), labels of which some are ignored, and weights."""
    rng = np.random.default_rng(0)
    labels = np.where(inputs.random_mask(0, 2, 7), inputs.random_bases(0, 2, 7), PAD)
    return rng.standard_normal((2, 7, 16)), labels, rng.uniform(0.5, 2, (2, 7))


def masked_lm() -> Iterator[bool]:
    logits, labels, weights = _language()
    for given in (None, weights):
        yield holds(losses.check_masked_lm, logits, labels, given, "float64")
        yield holds(losses.check_masked_lm_gradients, logits, labels, given, "float64", seed=0)


def no_targets() -> Iterator[bool]:
    logits, _, weights = _language()
    for given in (None, weights):
        yield holds(losses.check_no_targets, logits, given, "float64")


def classification() -> Iterator[bool]:
    rng = np.random.default_rng(1)
    logits = rng.standard_normal((4, 3))
    labels = {
        "single_label_classification": np.array([0, 2, 1, 1]),
        "multi_label_classification": rng.integers(0, 2, (4, 3)).astype(np.float64),
        "regression": rng.standard_normal((4, 3)),
    }
    for kind, given in labels.items():
        yield holds(losses.check_classification, logits, given, kind, "float64")


CHECKS: dict[str, Check] = {
    "language model loss": masked_lm,
    "loss without targets": no_targets,
    "classification losses": classification,
}
