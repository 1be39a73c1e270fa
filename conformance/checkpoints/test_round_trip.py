"""What is saved is loaded again: both layouts, every form that the official layout has, every variant of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.conformance.checkpoints.folders import (
    Scale,
    golden,
    identical,
    named_as,
    small,
    small_lm,
    stored,
    write_golden,
    write_official,
    written,
)

_VARIANTS = ("ps_fused_n3", "ph_untied_dirs", "cls_ps_fused_mean", "ph_n1")
_one_way = parts.Mamba(d_state=3)
OFFICIAL = {
    "ps even": small_lm(),
    "ps odd": small_lm(layers=3),
    "ps multiply, untied": small_lm(mixer=parts.BiMamba(mamba=_one_way, fusion="multiply", tie="none")),
    "ps one way": small_lm(layers=3, mixer=_one_way),
    "ps layer norm, biases": small_lm(
        mixer=parts.BiMamba(mamba=parts.Mamba(d_state=3, bias=True, conv_bias=False)),
        norm=parts.Norm(kind="layer", eps=1e-3),
    ),
    "ps other vocabulary": small_lm(
        embedding=parts.Embedding(d_model=8, vocab_size=4, complement_map={0: 3, 1: 2, 2: 1, 3: 0})
    ),
    "ph untied": small_lm("ph", head=parts.MaskedLM(tie="none")),
    "ph other fields": small_lm(
        "ph", residual_in_fp32=True, rescale_prenorm_residual=False, n_residuals_per_layer=2, n_as="n"
    ),
    "none": small_lm("none", layers=1),
    "classifier": small("ph", head=parts.SequenceClassifier(num_labels=1, conjoin="always", pooling="last")),
    "ps classifier, odd": small(layers=3, head=parts.SequenceClassifier(num_labels=4)),
    "ps backbone, odd": small(layers=3),
    "ph backbone": small("ph"),
}


@pytest.mark.parametrize("name", OFFICIAL)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_official(name: str, dtype: str, tmp_path: Path) -> None:
    model = caduceus.build(OFFICIAL[name], dtype=dtype, seed=3)
    caduceus.save_pretrained(model, tmp_path / "once", layout="official")
    again = caduceus.load_pretrained(tmp_path / "once")
    assert again.spec == model.spec
    assert identical(again.weights(), model.weights())
    caduceus.save_pretrained(again, tmp_path / "twice", layout="official")
    (config, tensors), twice = stored(tmp_path / "once"), stored(tmp_path / "twice")
    assert config == twice[0]
    assert config["torch_dtype"] == dtype
    assert identical(tensors, twice[1])
    assert identical(caduceus.official_state(again), tensors)


@pytest.mark.parametrize(
    "spec",
    [
        *OFFICIAL.values(),
        small(mixer=Scale(), head=parts.TrackHead(invariant=1, stranded=1)),
        small(mixer=parts.CrossStrand(), head=parts.VectorHead(signed=2)),
        parts.Symmetrize(model=small_lm("ph")),
    ],
    ids=[*OFFICIAL, "third party", "cross strand", "symmetrize"],
)
def test_own_layout(spec: Any, tmp_path: Path) -> None:
    model = caduceus.build(spec, dtype="float64", seed=3).eval()
    caduceus.save_pretrained(model, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.safetensors", "spec.yaml"]
    again = caduceus.load_pretrained(tmp_path)
    assert not again.training
    assert again.spec == model.spec
    assert identical(again.weights(), model.weights())
    ids = model.space_in.sample(np.random.default_rng(0), 2, 5)
    assert torch.equal(again(ids), model(ids))


@pytest.mark.parametrize("name", _VARIANTS)
def test_variants_of_a_file_hold_the_same(name: str, tmp_path: Path) -> None:
    case = golden(name)
    expected = caduceus.load_pretrained(write_golden(tmp_path / "once", name))
    bare = {key.removeprefix("caduceus."): value for key, value in case.all_tensors.items()}
    folders = [
        write_official(tmp_path / "duplicates", case.config, case.all_tensors),
        write_official(tmp_path / "pickled", case.config, case.tensors, pickled=True),
        write_official(tmp_path / "bare", case.config, bare),
        write_official(tmp_path / "undeclared", {**case.config, "architectures": None, "foreign": 1}, case.tensors),
    ]
    for folder in folders:
        model = caduceus.load_pretrained(folder)
        assert model.spec == expected.spec, folder.name
        assert identical(model.weights(), expected.weights()), folder.name


@pytest.mark.parametrize("name", ["ps_fused_n3", "ps_fused_unidirectional", "ps_nonfused_n1"])
def test_form_is_found_again_from_the_weights(name: str, tmp_path: Path) -> None:
    """Where one form alone can hold a model, it is taken without knowing which file the model came from."""
    model = caduceus.load_pretrained(write_golden(tmp_path / "published", name))
    caduceus.save_pretrained(model, tmp_path / "own")
    again = caduceus.load_pretrained(tmp_path / "own")
    assert again.spec == model.spec
    caduceus.save_pretrained(again, tmp_path / "back", layout="official")
    config, tensors = stored(tmp_path / "back")
    assert config["fused_add_norm"] == golden(name).config["fused_add_norm"]
    assert identical(tensors, golden(name).tensors)


def test_config_without_ssm_cfg_takes_mambas_defaults(tmp_path: Path) -> None:
    spec = small_lm("ph", mixer=parts.BiMamba(), residual_in_fp32=True)
    config, tensors = stored(written(tmp_path / "full", spec))
    sparse = {"d_model": 8, "n_layer": 2, "vocab_size": 12, "bidirectional_strategy": None, "ssm_cfg": None}
    sparse["initializer_cfg"] = None
    folder = write_official(tmp_path / "sparse", sparse, tensors)
    assert caduceus.load_pretrained(folder).spec == spec
    partly = {**sparse, "ssm_cfg": {"d_state": 16}, "complement_map": config["complement_map"]}
    assert caduceus.load_pretrained(write_official(tmp_path / "partly", partly, tensors)).spec == spec


def test_complement_map_is_read_by_key_not_by_order(tmp_path: Path) -> None:
    config, tensors = stored(written(tmp_path / "published", small_lm()))
    as_text = {key: config["complement_map"][key] for key in sorted(config["complement_map"])}
    assert list(as_text)[:3] == ["0", "1", "10"]
    folder = write_official(tmp_path / "sorted", {**config, "complement_map": as_text}, tensors)
    assert caduceus.load_pretrained(folder).spec == small_lm()


def test_half_precision_is_widened_exactly(tmp_path: Path) -> None:
    folder = written(tmp_path, small_lm())
    config, tensors = stored(folder)
    halves = {k: torch.from_numpy(v) for k, v in tensors.items()}
    halves = {k: v.bfloat16() if v.is_floating_point() else v for k, v in halves.items()}
    (folder / "model.safetensors").unlink()
    torch.save(halves, folder / "pytorch_model.bin")
    state = caduceus.official_state(caduceus.load_pretrained(folder))
    assert all(value.dtype in (torch.float32, torch.int64) for value in state.values())
    assert all(torch.equal(state[key], value.to(state[key].dtype)) for key, value in halves.items())
    assert config["torch_dtype"] == "float32"


def test_state_is_a_copy_and_gradients_are_complete(tmp_path: Path) -> None:
    model = caduceus.load_pretrained(written(tmp_path, small_lm()))
    before = model.weights()
    for value in caduceus.official_state(model).values():
        value.fill_(0)
    assert identical(model.weights(), before)
    model.embedding.weight.grad = torch.ones(16, 8)
    gradients = caduceus.official_state(model, "grads")
    state = caduceus.official_state(model)
    assert [key for key in state if "complement_map" not in key] == list(gradients)
    assert sum(bool(value.any()) for value in gradients.values()) == 1


def test_form_of_the_file_is_kept_by_the_state(tmp_path: Path) -> None:
    """An even ps model has two forms: the state shows that of its file, the saved folder is as published."""
    folder = written(tmp_path / "fused", small_lm())
    config, tensors = stored(folder)
    plain = named_as(False, tensors)
    other = caduceus.load_pretrained(write_official(tmp_path / "plain", {**config, "fused_add_norm": False}, plain))
    assert identical(caduceus.official_state(other), plain)
    ids = np.array([[7, 8, 9, 10]])
    assert not torch.allclose(other(ids), caduceus.load_pretrained(folder)(ids), atol=1e-4)
    caduceus.save_pretrained(other, tmp_path / "back", layout="official")
    back = caduceus.load_pretrained(tmp_path / "back")
    assert stored(tmp_path / "back")[0]["fused_add_norm"] is True
    assert identical(back.weights(), other.weights())
    assert torch.equal(back(ids), other(ids))


def test_a_failed_write_leaves_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = caduceus.build(small_lm())
    caduceus.save_pretrained(model, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="disk full"):
        caduceus.save_pretrained(caduceus.build(small_lm(), seed=1), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
