"""The reference gives the numbers of the authors' code: hidden states, logits, loss and gradients, in float64."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from caduceus.conformance import golden_cases
from caduceus.conformance.reference import official
from caduceus.reference import Model, directional_derivative, losses, selective_scan
from caduceus.reference.arrays import Array

CASES = tuple(name for name in golden_cases.present() if name not in golden_cases.UNIT_FILES)
SCANS = ("L1_full", "L1_bare", "L7_full", "L7_bare", "L65_full", "L65_bare", "L128_full", "L128_bare")
TOLERANCE = 1e-10
Report = Callable[[str, float], None]


def loss_of(case: dict[str, Any], arrays: dict[str, Array], model: Model) -> Any:
    logits = model(arrays["input_ids"])
    if case["class"] == "CaduceusForMaskedLM":
        return losses.masked_lm(logits, arrays["labels"], arrays.get("loss_weights"))[0]
    return losses.classification(logits, arrays["labels"], case["config"]["problem_type"])


@pytest.mark.parametrize("name", CASES)
def test_hidden_states_logits_and_loss(name: str, report_error: Report) -> None:
    case, arrays = official.read(name)
    model = official.model_of(case, official.named(case, arrays, "state"))
    ids = arrays["input_ids"]
    errors = {"logits": np.abs(model(ids) - arrays["f64/logits"]).max()}
    first = ids[..., 0] if ids.ndim == 3 else ids
    hidden = model.hidden_states(first)
    for i in range(case["n_hidden_states"]):
        errors[f"hidden {i}"] = np.abs(hidden[i] - arrays[f"f64/hidden/{i}"]).max()
    errors["last hidden"] = np.abs(hidden[-1] - arrays["f64/last_hidden"]).max()
    if "f64/last_hidden_rc" in arrays:
        errors["last hidden of rc"] = np.abs(model.hidden_states(ids[..., 1])[-1] - arrays["f64/last_hidden_rc"]).max()
    errors["loss"] = abs(loss_of(case, arrays, model) - case["loss"]["f64"])
    report_error("reference: golden values, float64", max(errors.values()))
    assert max(errors.values()) < TOLERANCE, errors


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith(("ps_", "cls_ps_"))])
def test_features_are_the_official_last_hidden_by_strand(name: str) -> None:
    case, arrays = official.read(name)
    features = official.model_of(case, official.named(case, arrays, "state")).features(arrays["input_ids"])
    d = case["config"]["d_model"]
    np.testing.assert_allclose(features[:, 0], arrays["f64/last_hidden"][..., :d], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(
        np.flip(features[:, 1], (1, 2)), arrays["f64/last_hidden"][..., d:], rtol=0, atol=TOLERANCE
    )


def groups_of(case: str, names: list[str]) -> list[list[str]]:
    """All weights at once; for two cases, also each by itself."""
    return [names, *([name] for name in names if case in ("ps_fused_n3", "ph_ew_multiply"))]


@pytest.mark.parametrize("name", CASES)
def test_gradient_of_the_loss(name: str, report_error: Report) -> None:
    """Along random directions, by complex step, against the authors' backward pass."""
    case, arrays = official.read(name)
    weights, grads = official.named(case, arrays, "state"), official.named(case, arrays, "f64/grad")
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    for group in groups_of(name, list(weights)):
        v = {n: rng.standard_normal(weights[n].shape) for n in group}
        found = directional_derivative(lambda w: loss_of(case, arrays, official.model_of(case, w)), weights, v)
        expected = sum((grads[n] * v[n]).sum() for n in group)
        error = abs(found - expected) / max(np.abs(grads[n]).max() for n in group)
        report_error("reference: golden gradients, float64, relative to the largest entry", error)
        assert error < TOLERANCE, group


@pytest.mark.skipif("unit_selective_scan" not in golden_cases.present(), reason="the unit file is not in a wheel")
@pytest.mark.parametrize("scan_case", SCANS)
def test_selective_scan(scan_case: str, report_error: Report) -> None:
    with np.load(golden_cases.FOLDER / "unit_selective_scan.npz") as stored:
        inputs = {k.rsplit("/", 1)[1]: stored[k] for k in stored if k.startswith(f"{scan_case}/in/")}
        grads = {k: stored[f"{scan_case}/grad/{k}"] for k in inputs}
        out, last_state = stored[f"{scan_case}/out"], stored[f"{scan_case}/last_state"]
        cotangent = stored[f"{scan_case}/cotangent"]

    def scan(x: dict[str, Array]) -> tuple[Array, Array]:
        u, dt, B, C = (np.swapaxes(x[k], 1, 2) for k in ("u", "delta", "B", "C"))
        z = np.swapaxes(x["z"], 1, 2) if "z" in x else None
        bias = x.get("delta_bias")
        return selective_scan(u, dt, x["A"], B, C, x.get("D"), z, bias, dt_softplus=bias is not None)

    y, state = scan(inputs)
    error = max(np.abs(np.swapaxes(y, 1, 2) - out).max(), np.abs(state - last_state).max())
    report_error("reference: golden values, float64", error)
    assert error < TOLERANCE
    rng = np.random.default_rng(0)
    for key, grad in grads.items():
        v = rng.standard_normal(grad.shape)
        dy, _ = directional_derivative(scan, inputs, {key: v})
        assert abs((np.swapaxes(dy, 1, 2) * cotangent).sum() - (grad * v).sum()) <= TOLERANCE * np.abs(grad).max(), key
