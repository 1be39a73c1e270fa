"""What is written in the official layout is, byte for byte or to the byte, what the authors published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors import safe_open

import caduceus
from caduceus import parts
from caduceus.conformance.checkpoints.folders import small_lm, stored, written

# config.json of the published ps model of 131k: docs/published_models.md 5.
PUBLISHED_CONFIG = """{
  "architectures": [
    "CaduceusForMaskedLM"
  ],
  "auto_map": {
    "AutoConfig": "configuration_caduceus.CaduceusConfig",
    "AutoModel": "modeling_caduceus.Caduceus",
    "AutoModelForMaskedLM": "modeling_caduceus.CaduceusForMaskedLM",
    "AutoModelForSequenceClassification": "modeling_caduceus.CaduceusForSequenceClassification"
  },
  "bidirectional": true,
  "bidirectional_strategy": "add",
  "bidirectional_weight_tie": true,
  "complement_map": {
    "0": 0,
    "1": 1,
    "2": 2,
    "3": 3,
    "4": 4,
    "5": 5,
    "6": 6,
    "7": 10,
    "8": 9,
    "9": 8,
    "10": 7,
    "11": 11,
    "12": 12,
    "13": 13,
    "14": 14,
    "15": 15
  },
  "d_model": 256,
  "fused_add_norm": true,
  "initializer_cfg": {
    "initializer_range": 0.02,
    "n_residuals_per_layer": 1,
    "rescale_prenorm_residual": true
  },
  "model_type": "caduceus",
  "n_layer": 16,
  "norm_epsilon": 1e-05,
  "pad_vocab_size_multiple": 8,
  "rcps": true,
  "residual_in_fp32": false,
  "rms_norm": true,
  "ssm_cfg": {
    "bias": false,
    "conv_bias": true,
    "d_conv": 4,
    "d_state": 16,
    "dt_init": "random",
    "dt_init_floor": 0.0001,
    "dt_max": 0.1,
    "dt_min": 0.001,
    "dt_rank": "auto",
    "dt_scale": 1.0,
    "expand": 2,
    "use_fast_path": true
  },
  "torch_dtype": "float32",
  "transformers_version": "4.38.1",
  "vocab_size": 16
}
"""

# Bytes of model.safetensors and tensors in it; those of ps-131k and ph-1k-d256 are the published files'.
SIZES = {
    "caduceus-ps-131k": (30_937_760, 276),
    "caduceus-ph-131k": (30_934_736, 274),
    "caduceus-ps-1k-d256": (7_747_896, 72),
    "caduceus-ph-1k-d256": (7_746_792, 70),
    "caduceus-ps-1k-d118": (1_892_256, 72),
    "caduceus-ph-1k-d118": (1_891_152, 70),
}


@pytest.mark.parametrize("name", SIZES)
def test_published_folder(name: str, tmp_path: Path) -> None:
    spec = caduceus.zoo.spec(name)
    folder = written(tmp_path, spec)
    size, tensors = SIZES[name]
    assert (folder / "model.safetensors").stat().st_size == size
    with safe_open(folder / "model.safetensors", framework="np") as file:
        assert file.metadata() == {"format": "pt"}
        assert len(list(file.keys())) == tensors
    expected = PUBLISHED_CONFIG
    if spec.equivariance == "ph":
        expected = expected.replace('"rcps": true', '"rcps": false')
    expected = expected.replace('"n_layer": 16', f'"n_layer": {len(spec.mixers)}')
    expected = expected.replace('"d_model": 256', f'"d_model": {spec.channels}')
    assert (folder / "config.json").read_bytes() == expected.encode()
    assert caduceus.load_pretrained(folder).spec == spec


def test_classes_are_named(tmp_path: Path) -> None:
    classifier = parts.SequenceClassifier(num_labels=3, pooling="max", conjoin="eval", problem_type="regression")
    config, tensors = stored(written(tmp_path / "classifier", small_lm("ph", head=classifier)))
    assert config["architectures"] == ["CaduceusForSequenceClassification"]
    assert config["id2label"] == {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}
    assert config["label2id"] == {"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2}
    assert (config["pooling_strategy"], config["conjoin_train"], config["conjoin_eval"]) == ("max", False, True)
    assert config["problem_type"] == "regression"
    assert tensors["score.weight"].shape == (3, 8)
    config, tensors = stored(written(tmp_path / "backbone", small_lm("ps", head=None)))
    assert config["architectures"] == ["Caduceus"]
    assert all(key.startswith("backbone.") for key in tensors)


def test_files_are_no_more_private_than_others(tmp_path: Path) -> None:
    folder = written(tmp_path / "made" / "on the way", small_lm())
    (tmp_path / "other").write_text("")
    mode = (tmp_path / "other").stat().st_mode
    assert {path.stat().st_mode for path in folder.iterdir()} == {mode}
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    json.loads((folder / "config.json").read_text())
