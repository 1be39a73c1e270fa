"""The authors' models, loaded from folders such as they publish, give the numbers that their own code gave."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import caduceus
from caduceus.conformance.checkpoints.folders import NAMES, Case, golden, identical, stored, write_golden

Engine = tuple[str, str, str, str]
_ABSOLUTE = {"f64": 1e-10, "f32": 2e-5}
_OF_LARGEST = {"f64": 1e-10, "f32": 1e-4}
_NOISE = {"f64": 1e-14, "f32": 1e-9}


def _loaded(folder: Path, case: Case, backend: str, dtype: str, device: str) -> Any:
    """The model; on the reference, which knows no devices, without one."""
    where = {} if backend == "reference" else {"device": device}
    model = caduceus.load_pretrained(folder, backend=backend, dtype=dtype, **where)
    assert not model.training
    return model.train() if case.record["mode"] == "train" else model


def _official_features(model: Any, ids: np.ndarray) -> np.ndarray:
    """The features as the official ``last_hidden``: (B, L, d), or both halves (B, L, 2d)."""
    features = np.asarray(torch.as_tensor(model.features(ids)).detach().cpu())
    if features.ndim == 3:
        return features
    return np.concatenate([features[:, 0], features[:, 1, ::-1, ::-1]], axis=-1)


def _loss(case: Case, logits: torch.Tensor) -> torch.Tensor:
    labels = torch.from_numpy(case.arrays["labels"])
    if case.record["class"] == "CaduceusForSequenceClassification":
        return caduceus.losses.classification(logits, labels, case.config["problem_type"])
    weights = case.arrays.get("loss_weights")
    return caduceus.losses.masked_lm(logits, labels, None if weights is None else torch.from_numpy(weights))[0]


@pytest.mark.parametrize("name", NAMES)
def test_values(name: str, engine: Engine, tmp_path: Path, report_error: Callable[[str, float], None]) -> None:
    backend, dtype, device, precision = engine
    case = golden(name)
    model = _loaded(write_golden(tmp_path, name), case, backend, dtype, device)
    ids = case.arrays["input_ids"]
    outputs = torch.as_tensor(model(ids))
    logits = np.asarray(outputs.detach().cpu())
    assert logits.dtype == dtype
    features = _official_features(model, ids[..., 0] if ids.ndim == 3 else ids)
    for what, found in (("logits", logits), ("last_hidden", features)):
        error = float(np.abs(found - case.arrays[f"{precision}/{what}"]).max())
        report_error(f"golden {what}, {backend} {dtype}", error)
        assert error <= _ABSOLUTE[precision], what
    loss = _loss(case, outputs)
    assert abs(loss.item() - case.record["loss"][precision]) <= _ABSOLUTE[precision]
    if isinstance(model, torch.nn.Module):
        loss.backward()
        error = _gradient_error(case, caduceus.official_state(model, "grads"), precision)
        report_error(f"golden gradients, of the largest entry, {backend} {dtype}", error)


def _gradient_error(case: Case, gradients: dict[str, torch.Tensor], precision: str) -> float:
    """The largest error relative to the largest entry of its tensor; it asserts that all are small."""
    assert list(gradients) == case.record["parameters"]
    worst = 0.0
    for key, found in gradients.items():
        expected = case.arrays[f"{precision}/grad/{key}"]
        largest = np.abs(expected).max()
        error = np.abs(found.cpu().numpy() - expected).max()
        assert error <= _OF_LARGEST[precision] * largest + _NOISE[precision], key
        worst = max(worst, float(error / largest) if largest > 0 else 0.0)
    return worst


@pytest.mark.parametrize("name", NAMES)
def test_way_back(name: str, tmp_path: Path) -> None:
    case = golden(name)
    model = caduceus.load_pretrained(write_golden(tmp_path / "published", name))
    state = caduceus.official_state(model)
    assert list(state) == list(case.tensors)
    assert identical(state, case.tensors)
    caduceus.save_pretrained(model, tmp_path / "back", layout="official")
    again = caduceus.load_pretrained(tmp_path / "back")
    assert again.spec == model.spec
    assert identical(again.weights(), model.weights())
    config, tensors = stored(tmp_path / "back")
    even_both_ways = config["rcps"] and config["bidirectional"] and config["n_layer"] % 2 == 0
    if even_both_ways:
        assert config["fused_add_norm"] is True
    if not even_both_ways or case.config["fused_add_norm"]:
        assert identical(tensors, case.tensors)
        assert config["rcps"] is False or config["fused_add_norm"] == case.config["fused_add_norm"]
