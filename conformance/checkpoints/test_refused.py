"""Every way in which config and tensors can be wrong is refused: the thing, what was expected, what came."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caduceus
from caduceus.conformance.checkpoints.folders import named_as, small_lm, stored, write_official, written

Config = dict[str, Any]
Tensors = dict[str, np.ndarray]
_LAYER = "caduceus.backbone.layers.1."
_PS_TABLE = "caduceus.backbone.embeddings.word_embeddings.embedding.weight"
_PS_MAP = "caduceus.backbone.embeddings.word_embeddings.complement_map"


def _drop(key: str) -> Callable[[Config, Tensors], Any]:
    return lambda config, tensors: tensors.pop(key)


def _put(key: str, value: Any) -> Callable[[Config, Tensors], Any]:
    return lambda config, tensors: tensors.update({key: value(tensors) if callable(value) else value})


def _set(**fields: Any) -> Callable[[Config, Tensors], Any]:
    return lambda config, tensors: config.update(fields)


def _without(key: str) -> Callable[[Config, Tensors], Any]:
    return lambda config, tensors: config.pop(key)


def _poison(value: float) -> Callable[[Config, Tensors], Any]:
    def poison(config: Config, tensors: Tensors) -> None:
        tensors[_LAYER + "norm.weight"][3] = value

    return poison


def _map(pairs: dict[int, int], size: int = 16) -> np.ndarray:
    return np.array([pairs.get(i, i) for i in range(size)])


_PLAIN_MAP = {str(i): i for i in range(16)}
BROKEN: dict[str, tuple[str, Callable[[Config, Tensors], Any], str]] = {
    "more layers": ("ps", _set(n_layer=3), r"layers\.2\..*config\.json has n_layer 3, the file 2"),
    "missing weight": ("ps", _drop(_LAYER + "norm.weight"), rf"missing \['{_LAYER}norm.weight'\], unexpected \[\]"),
    "missing tied pair": (
        "ph",
        _drop(_LAYER + "mixer.mamba_fwd.in_proj.weight"),
        rf"missing \['{_LAYER}mixer.mamba_fwd.in_proj.weight'\]",
    ),
    "missing map": ("ps", _drop(_PS_MAP), rf"missing \['{_PS_MAP}'\]"),
    "extra key": ("ps", _put("caduceus.extra", np.zeros(2)), r"missing \[\], unexpected \['caduceus.extra'\]"),
    "two heads": ("ps", _put("score.weight", np.zeros((2, 8))), r"unexpected \['lm_head.complement_map'\]"),
    "shape": (
        "ps",
        _put(_LAYER + "norm.weight", np.zeros(9, np.float32)),
        rf"{_LAYER}norm.weight has shape \(9,\), expected \(8,\)",
    ),
    "axis": (
        "ph",
        _put(_LAYER + "mixer.mamba_fwd.conv1d.weight", np.zeros((16, 4), np.float32)),
        r"conv1d.weight has shape \(16, 4\), expected \(16, 1, 4\)",
    ),
    "nan": ("ps", _poison(np.nan), rf"NaN or infinity in {_LAYER}norm.weight"),
    "infinity": ("ph", _poison(-np.inf), rf"NaN or infinity in {_LAYER}norm.weight"),
    "unequal directions": (
        "ph",
        _put(_LAYER + "mixer.mamba_rev.in_proj.weight", np.ones((32, 8), np.float32)),
        "mamba_fwd.in_proj.weight and .*mamba_rev.in_proj.weight differ, expected equal: the model ties them",
    ),
    "unequal head": ("ph", _put("lm_head.weight", np.ones((16, 8), np.float32)), "lm_head.weight differ"),
    "unequal ps head": (
        "ps",
        lambda c, t: (c.update(tie_word_embeddings=False), t.update({"lm_head.lm_head.weight": t[_PS_TABLE] + 1})),
        "lm_head.lm_head.weight differ, expected equal",
    ),
    "map in the config": (
        "ps",
        _set(complement_map=_PLAIN_MAP | {"7": 8}),
        r"config.json: .*not an involution: 7 -> 8",
    ),
    "map of plain model": ("ph", _set(complement_map=_PLAIN_MAP | {"7": 8}), "not an involution: 7 -> 8 -> 8"),
    "map outside": ("ps", _set(complement_map={"16": 16}), r"has ids \[16\], expected ids from 0 to 15"),
    "map contradicts": ("ps", _set(complement_map=_PLAIN_MAP), f"{_PS_MAP} contradicts .*: 7 -> 10, not 7"),
    "map of the head": (
        "ps",
        _put("lm_head.complement_map", _map({7: 8, 8: 7})),
        r"lm_head.complement_map contradicts complement_map in config.json: 7 -> 8, not 10; 8 -> 7, not 9",
    ),
    "map in the file": ("ps", _put(_PS_MAP, _map({7: 8})), f"tensor {_PS_MAP}: .*not an involution"),
    "map size": ("ps", _put(_PS_MAP, _map({}, 12)), rf"{_PS_MAP} has shape \(12,\), expected \(16,\)"),
    "map type": ("ps", _put(_PS_MAP, np.zeros(16, np.float32)), "is float32, expected integers"),
    "no map": ("ps", _without("complement_map"), "config.json: complement_map is missing, expected one with rcps true"),
    "fused by name": ("ps", lambda c, t: _rename(t, False), "fused_add_norm True, expected False"),
    "not fused by name": ("ps", _set(fused_add_norm=False), "fused_add_norm False, expected True"),
    "other family": (
        "ph",
        _set(rcps=True),
        "missing .*mixer.submodule.* unexpected .*mixer.mamba",
    ),
    "strategy": ("ph", _set(bidirectional_strategy="concat"), "bidirectional_strategy"),
    "model type": ("ph", _set(model_type="bert"), "model_type"),
    "cell field": ("ph", _set(ssm_cfg={"d_states": 4}), r"has fields \['d_states'\], expected any of"),
    "initializer field": ("ph", _set(initializer_cfg={"range": 1}), "initializer_cfg.range"),
    "not bool": ("ph", _set(bidirectional="true,"), "bidirectional"),
    "pooling": ("ph", _set(pooling_strategy="median"), "pooling_strategy"),
    "depth": ("ph", _set(n_layer=0), "n_layer"),
    "fewer layers": ("ph", _set(n_layer=1), "missing \\[\\], unexpected .*layers.1"),
    "one way": ("ph", _set(bidirectional=False), "missing \\[\\], unexpected .*mamba_rev.A_log"),
    "untied": ("ph", _set(bidirectional_weight_tie=False), "missing .*mamba_rev.in_proj.weight.* unexpected \\[\\]"),
}


def _rename(tensors: Tensors, fused: bool) -> None:
    renamed = named_as(fused, tensors)
    tensors.clear()
    tensors.update(renamed)


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_folder(fault: str, tmp_path: Path) -> None:
    equivariance, break_it, message = BROKEN[fault]
    config, tensors = stored(written(tmp_path / "whole", small_lm(equivariance)))
    break_it(config, tensors)
    folder = write_official(tmp_path / "broken", config, tensors)
    with pytest.raises(ValueError, match=message):
        caduceus.load_pretrained(folder)


def test_untied_files_may_differ(tmp_path: Path) -> None:
    """The same differences are no fault where the config unties."""
    config, tensors = stored(written(tmp_path / "whole", small_lm("ph")))
    tensors["lm_head.weight"] = np.ones((16, 8), np.float32)
    folder = write_official(tmp_path / "untied", {**config, "tie_word_embeddings": False}, tensors)
    assert caduceus.load_pretrained(folder).weights()["head.weight"].min() == 1
