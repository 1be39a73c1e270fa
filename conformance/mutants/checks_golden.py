"""Checks against golden vectors: the authors' models, loaded from folders such as they publish, in float64."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

import caduceus
from caduceus.conformance.checkpoints.folders import Case, golden, identical, write_golden
from caduceus.conformance.mutants.check import Check, holds
from caduceus.conformance.properties.bounds import VALUES, distance
from caduceus.conformance.properties.equivariance import check_equivariance
from caduceus.conformance.subjects import array

CASES = (
    "ps_nonfused_n1",
    "ps_fused_n3",
    "ps_fused_unidirectional",
    "ph_untied_dirs",
    "ph_ew_multiply",
    "ph_layernorm",
    "cls_ps_fused_mean",
    "cls_ph_conjoin_eval_eval",
)
"""One of each kind, all of them in a wheel too."""


@contextmanager
def _loaded(name: str) -> Iterator[tuple[Case, Any]]:
    with TemporaryDirectory() as folder:
        model = caduceus.load_pretrained(write_golden(Path(folder), name), dtype="float64")
    yield golden(name), model.train(golden(name).record["mode"] == "train")


def _close(found: Any, expected: Any) -> bool:
    return distance(array(found), np.asarray(expected)) <= VALUES["float64"]


def _last_hidden(model: Any, ids: np.ndarray) -> np.ndarray:
    found = array(model.features(ids[..., 0] if ids.ndim == 3 else ids))
    return found if found.ndim == 3 else np.concatenate([found[:, 0], found[:, 1, ::-1, ::-1]], axis=-1)


def _loss(case: Case, logits: torch.Tensor) -> torch.Tensor:
    labels = torch.from_numpy(case.arrays["labels"])
    if "problem_type" in case.config and case.record["class"] == "CaduceusForSequenceClassification":
        return caduceus.losses.classification(logits, labels, case.config["problem_type"])
    return caduceus.losses.masked_lm(logits, labels)[0]


def values() -> Iterator[bool]:
    for name in CASES:
        with _loaded(name) as (case, model):
            ids = case.arrays["input_ids"]
            logits = model(ids)
            yield _close(logits, case.arrays["f64/logits"])
            yield _close(_last_hidden(model, ids), case.arrays["f64/last_hidden"])
            yield _close(_loss(case, logits), case.record["loss"]["f64"])


def gradients() -> Iterator[bool]:
    for name in CASES:
        with _loaded(name) as (case, model):
            _loss(case, model(case.arrays["input_ids"])).backward()
            for key, found in caduceus.official_state(model, "grads").items():
                expected = case.arrays[f"f64/grad/{key}"]
                yield bool(np.abs(array(found) - expected).max() <= 1e-10 * np.abs(expected).max() + 1e-14)


def square() -> Iterator[bool]:
    """The authors' own test of their models: it sees nothing of the half swap."""
    for name in CASES:
        if name.startswith("ps"):
            with _loaded(name) as (case, model):
                yield holds(check_equivariance, model.eval(), case.arrays["input_ids"])


def way_back() -> Iterator[bool]:
    """What was loaded, under official names again, is what the file holds."""
    for name in CASES:
        with _loaded(name) as (case, model):
            state = caduceus.official_state(model.float())
            yield identical(state, case.tensors)


CHECKS: dict[str, Check] = {
    "golden values": values,
    "golden gradients": gradients,
    "equivariance of golden models": square,
    "golden files and back": way_back,
}
