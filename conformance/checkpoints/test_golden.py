"""The authors' models, loaded from folders such as they publish, give the numbers that their own code gave."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import caduceus
from caduceus.conformance.checkpoints.folders import NAMES, golden, identical, stored, write_golden
from caduceus.conformance.properties.golden import check_golden_gradients, check_golden_values
from caduceus.conformance.subjects import Subject


@pytest.mark.parametrize("name", NAMES)
def test_values(subject: Subject, name: str, hold: Callable[..., None], tmp_path: Path) -> None:
    hold(check_golden_values, subject, name, tmp_path)
    if not subject.is_reference:
        hold(check_golden_gradients, subject, name, tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_way_back(name: str, tmp_path: Path) -> None:
    case = golden(name)
    model = caduceus.load_pretrained(write_golden(tmp_path / "published", name))
    assert not model.training
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
