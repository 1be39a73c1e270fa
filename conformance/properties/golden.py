"""The authors' models, loaded from folders such as they publish, give the numbers that their own code gave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

import caduceus
from caduceus.conformance.checkpoints.folders import Case, golden, write_golden
from caduceus.conformance.properties.bounds import GRADIENTS, VALUES, largest, law
from caduceus.conformance.subjects import Array, Subject, array

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

_PRECISION = {"float64": "f64", "float32": "f32"}
_LEAST = {"float64": 1e-4, "float32": 1e-5}
"""A gradient whose largest entry is below this is what sums leave when they cancel: errors are relative to this."""


def loaded(subject: Subject, name: str, folder: Path) -> Any:
    """The golden case ``name``, published in ``folder``, as a model in the mode in which the authors ran it."""
    where = {"dtype": subject.dtype, "device": subject.device}
    model = caduceus.load_pretrained(write_golden(folder, name), backend=subject.backend, **where)
    return model.train(golden(name).record["mode"] == "train")


@law("golden: logits, features and loss", VALUES)
def check_golden_values(subject: Subject, name: str, folder: Path) -> float:
    """Largest error; infinite if logits are in another dtype."""
    case, model = golden(name), loaded(subject, name, folder)
    ids, precision = case.arrays["input_ids"], _PRECISION[subject.dtype]
    with torch.no_grad():
        logits = torch.as_tensor(model(ids))
        errors = [
            largest(array(logits) - case.arrays[f"{precision}/logits"]),
            largest(_last_hidden(model, ids) - case.arrays[f"{precision}/last_hidden"]),
            abs(_loss(case, logits).item() - case.record["loss"][precision]),
        ]
    return max(errors) if str(logits.dtype) == f"torch.{subject.dtype}" else float("inf")


@law("golden: gradients of the loss, of the largest entry", GRADIENTS)
def check_golden_gradients(subject: Subject, name: str, folder: Path) -> float:
    """Of every tensor of the official layout; infinite if these are others than the authors'."""
    case, model = golden(name), loaded(subject, name, folder)
    _loss(case, model(case.arrays["input_ids"])).backward()
    gradients = caduceus.official_state(model, "grads")
    if list(gradients) != case.record["parameters"]:
        return float("inf")
    expected = {key: case.arrays[f"{_PRECISION[subject.dtype]}/grad/{key}"] for key in gradients}
    return max(
        largest(array(gradients[key]) - wanted) / max(largest(wanted), _LEAST[subject.dtype])
        for key, wanted in expected.items()
    )


def _last_hidden(model: Any, ids: Array) -> Array:
    """The features as the official ``last_hidden``: (B, L, d), or both halves (B, L, 2d)."""
    found = array(model.features(ids[..., 0] if ids.ndim == 3 else ids))
    return found if found.ndim == 3 else np.concatenate([found[:, 0], found[:, 1, ::-1, ::-1]], axis=-1)


def _loss(case: Case, logits: torch.Tensor) -> torch.Tensor:
    labels = torch.from_numpy(case.arrays["labels"])
    if case.record["class"] == "CaduceusForSequenceClassification":
        return caduceus.losses.classification(logits, labels, case.config["problem_type"])
    weights = case.arrays.get("loss_weights")
    return caduceus.losses.masked_lm(logits, labels, None if weights is None else torch.from_numpy(weights))[0]
