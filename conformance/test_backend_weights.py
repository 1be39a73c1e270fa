"""Weights on every backend: the same for one seed, one dict for all, where training starts, and through files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.conformance import golden_cases, inputs
from caduceus.conformance.catalogue import CATALOGUE, cell
from caduceus.conformance.properties import weights
from caduceus.conformance.properties.bounds import VALUES, distance
from caduceus.conformance.requirements import inner
from caduceus.conformance.subjects import Case, Subject, answer, array

Hold = Callable[..., None]
STATISTICS = json.loads((golden_cases.FOLDER / "init_stats.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", CATALOGUE)
def test_one_seed_gives_one_set_of_weights(subject: Subject, name: str) -> None:
    spec = CATALOGUE[name]
    anyones = caduceus.build(spec, seed=3)
    assert weights.check_same_seed(subject.build(spec, seed=3), anyones) == 0.0
    assert weights.check_same_seed(subject.build(spec, seed=4), anyones) > 0.0


@pytest.mark.parametrize("name", ["ps-masked_lm-untied", "ps-dilated_conv", "average-masked_lm"])
def test_one_dict_loads_everywhere(subject: Subject, hold: Hold, name: str) -> None:
    """Into the subject, and from there into the reference, which then gives the same answer."""
    spec, ids = CATALOGUE[name], inputs.random_ids(0, CATALOGUE[name].space_in)
    given = {n: array(x).astype(np.float32) for n, x in Case(spec, subject).model.weights().items()}
    model = subject.build(spec, given)
    hold(weights.check_weights_kept, Case(spec, subject, built=model), given)
    again = caduceus.build(spec, backend="reference", weights=model.weights())
    assert distance(answer(model, ids), answer(again, ids)) <= VALUES[subject.dtype]


def test_weights_are_copies(subject: Subject) -> None:
    model = subject.build(CATALOGUE["ps-masked_lm"])
    ids = inputs.random_ids(0, model.space_in)
    before = answer(model, ids)
    for value in model.weights().values():
        value[:] = 0.0
    assert np.array_equal(answer(model, ids), before)


def test_a_seed_leaves_other_random_numbers_alone(subject: Subject) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    subject.build(CATALOGUE["ps-dilated_conv"], seed=1)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("model", STATISTICS)
def test_initial_values_are_distributed_as_the_authors(hold: Hold, model: str) -> None:
    """Fresh d256 models under the official names; the record has the first layer, which stands for all."""
    fresh = caduceus.official_state(caduceus.build(caduceus.zoo.spec(f"caduceus-{model.split('_')[0]}-1k-d256")))
    found = {key: array(value) for key, value in fresh.items() if not key.endswith("complement_map")}
    compared = {key: re.sub(r"layers\.\d+", "layers.0", key) for key in found}
    assert set(compared.values()) == {key for key in STATISTICS[model] if not key.endswith("complement_map")}
    for key, value in found.items():
        hold(weights.check_initial, value, STATISTICS[model][compared[key]])


@pytest.mark.parametrize("fields", [{"dt_init": "constant"}, {"bias": True}, {"dt_scale": 0.5, "dt_rank": 3}])
def test_initial_values_of_other_settings(fields: dict[str, object]) -> None:
    """official.md's table: dt_proj is U(-s, s) or s with s = dt_rank^-0.5 dt_scale; biases of projections are 0."""
    mamba = cell(**fields)
    spec = parts.Model(embedding=parts.Embedding(d_model=64), mixers=[mamba], head=None)
    fresh = spec.initial_weights(0)
    step = spec.bound_mixers()[0].rank ** -0.5 * mamba.dt_scale
    projection = fresh["mixers.0.dt_proj.weight"]
    if mamba.dt_init == "constant":
        assert np.array_equal(projection, np.full_like(projection, step))
    else:
        assert step * 0.9 < np.abs(projection).max() <= step
    if mamba.bias:
        assert not fresh["mixers.0.in_proj.bias"].any()
        assert not fresh["mixers.0.out_proj.bias"].any()
    steps = np.log1p(np.exp(fresh["mixers.0.dt_bias"].astype(float)))
    assert mamba.dt_min * 0.999 <= steps.min() <= steps.max() <= mamba.dt_max * 1.001


@pytest.mark.parametrize("name", ["ps-masked_lm", "ph-masked_lm", "ph-conjoined-always"])
def test_official_files(subject: Subject, hold: Hold, tmp_path: Path, name: str) -> None:
    spec = inner(CATALOGUE[name])
    head = spec.head
    if isinstance(head, parts.SequenceClassifier):
        head = head.model_copy(update={"bias": False})
    mixers = (spec.mixers[0].model_copy(),) * 2
    case = Case(spec.model_copy(update={"head": head, "mixers": mixers, "n_as": "pad"}), subject)
    ids = inputs.random_ids(0, spec.space_in)
    hold(weights.check_saved, case, tmp_path / "model", "official", subject.backend, ids)
