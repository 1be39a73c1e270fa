"""The contract that outside scripts rely on, as design.md writes it: building, calling and describing models.

Kernels are in test_contract_kernels.py, masks in test_contract_masks.py, files, losses and text in
test_contract_files.py; third parties' mixers in test_third_party.py, the command line in recipes/.
"""

from __future__ import annotations

import inspect
import logging
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.backends import registry
from caduceus.backends.registry import BackendUnavailable
from caduceus.conformance.subjects import Subject
from caduceus.symmetry import Strands, Tokens, Track, Vector, token_rep, trivial

IDS = np.array([[7, 8, 9, 10, 11], [3, 4, 7, 7, 0]])


def spec(equivariance: str = "ps", head: parts.Head | None = None, **fields: Any) -> parts.Model:
    mixer = parts.BiMamba(mamba=parts.Mamba(d_state=16), fusion="add", tie="projections")
    return parts.Model(
        equivariance=equivariance,
        embedding=parts.Embedding(d_model=8),
        mixers=[mixer],
        norm=parts.Norm(kind="rms", eps=1e-5),
        head=head or parts.MaskedLM(tie="embedding"),
        **fields,
    )


def keyword_only(function: Any) -> dict[str, Any]:
    """Names and defaults of what must be given by name."""
    found = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in found if p.kind is p.KEYWORD_ONLY}


def test_build_takes_what_it_says() -> None:
    assert next(iter(inspect.signature(caduceus.build).parameters)) == "spec"
    defaults = {"backend": "auto", "dtype": None, "device": None, "seed": 0, "weights": None}
    assert keyword_only(caduceus.build) == {**defaults, "checkpoint_activations": False}


def test_build_gives_float32_in_train_mode() -> None:
    model = caduceus.build(spec())
    assert isinstance(model, torch.nn.Module)
    assert model.training
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert {p.device.type for p in model.parameters()} == {"cpu"}


@pytest.mark.parametrize("dtype", [torch.float64, "float64", "torch.float64", np.float64, np.dtype("float64")])
def test_build_takes_a_dtype_or_its_name(dtype: Any) -> None:
    assert {p.dtype for p in caduceus.build(spec(), dtype=dtype).parameters()} == {torch.float64}


def test_build_refuses(subject: Subject) -> None:
    with pytest.raises(TypeError, match=r"expects a parts\.Model or parts\.Symmetrize, got BiMamba"):
        subject.build(parts.BiMamba())
    weights = {**subject.build(spec()).weights(), "mixers.0.extra": np.zeros(1)}
    del weights["norm_f.weight"]
    with pytest.raises(ValueError, match=r"missing \['norm_f.weight'\].*unknown \['mixers.0.extra'\]"):
        subject.build(spec(), weights)
    with pytest.raises(ValueError, match=r"embedding.weight has shape \(2, 8\), expected \(16, 8\)"):
        subject.build(spec(), {**subject.build(spec()).weights(), "embedding.weight": np.zeros((2, 8))})
    with pytest.raises(ValueError, match="int8"):
        caduceus.build(spec(), backend=subject.backend, dtype="int8")


@pytest.mark.parametrize("device", ["gpu", "cuda:9999"])
def test_devices_that_torch_cannot_use_are_refused(device: str) -> None:
    with pytest.raises(ValueError, match=f"device is '{device}', expected one that torch can use here, such as 'cpu'"):
        caduceus.build(spec(), device=device)


def test_zoo_has_the_models_of_the_paper() -> None:
    sizes = ("1k-d118", "1k-d128", "1k-d256", "32k", "131k")
    assert set(caduceus.zoo.names()) == {f"caduceus-{kind}-{size}" for kind in ("ps", "ph") for size in sizes}
    d118 = caduceus.zoo.spec("caduceus-ps-1k-d118")
    assert (d118.equivariance, d118.channels, len(d118.mixers)) == ("ps", 118, 4)
    assert sum(value.size for value in d118.initial_weights(0).values()) == 470_702
    with pytest.raises(ValueError, match="did you mean 'caduceus-ps-131k'"):
        caduceus.zoo.spec("caduceus-ps-131")


PARAMETERS = {"1k-d118": 470_702, "1k-d256": 1_934_592, "32k": 3_864_832, "131k": 7_725_312}


@pytest.mark.parametrize("size", PARAMETERS)
def test_zoo_models_have_as_many_parameters_as_the_authors(size: str) -> None:
    declared = caduceus.zoo.spec(f"caduceus-ph-{size}").weights()
    assert sum(int(np.prod(w.shape)) for w in declared.values() if w.tied_to is None) == PARAMETERS[size]


def test_yaml_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_text(spec().to_yaml(), encoding="utf-8")
    assert caduceus.load_spec(path) == spec()
    assert caduceus.load_spec(str(path)) == spec()


@pytest.mark.parametrize("equivariance", ["ps", "ph", "none"])
def test_shapes_of_answers_and_features(subject: Subject, equivariance: str) -> None:
    model = subject.build(spec(equivariance))
    assert model(IDS).shape == (2, 5, 16)
    assert model(input_ids=IDS, mask=None).shape == (2, 5, 16)
    assert model.features(input_ids=IDS, mask=None).shape == ((2, 2, 5, 8) if equivariance == "ps" else (2, 5, 8))
    classifier = subject.build(spec(equivariance, parts.SequenceClassifier(num_labels=3)))
    assert classifier(IDS).shape == (2, 3)


def test_types_of_answers(subject: Subject) -> None:
    """Arrays, tensors and lists in; tensors in the model's dtype out, arrays from the reference."""
    model = subject.build(spec())
    y = model(IDS)
    if subject.is_reference:
        assert isinstance(y, np.ndarray)
        assert y.dtype == np.float64
        return
    assert y.dtype == getattr(torch, subject.dtype)
    for ids in (torch.tensor(IDS), IDS.tolist(), IDS.astype(np.int32), torch.tensor(IDS, dtype=torch.int32)):
        assert torch.equal(model(ids), y)


def test_ids_that_are_none(subject: Subject) -> None:
    model = subject.build(spec())
    with pytest.raises(TypeError, match="float64"):
        model(IDS.astype(float))
    with pytest.raises(ValueError, match=r"\(5,\)"):
        model(IDS[0])
    with pytest.raises(ValueError, match="from 9 to 20, expected"):
        model(IDS + 9)
    if not subject.is_reference:  # before they reach a device, where a lookup out of range ends the process's use of it
        with pytest.raises(ValueError, match="from 9 to 20, expected"):
            model.to("meta")(IDS + 9)


def test_a_model_knows_what_it_is(subject: Subject) -> None:
    model = subject.build(spec())
    assert model.spec == spec()
    assert model.space_in == Tokens()
    assert model.space_out == Track(token_rep(Tokens().alphabet))
    assert subject.build(spec(head=parts.SequenceClassifier())).space_out == Vector(trivial(2))
    assert subject.build(spec().model_copy(update={"head": None})).space_out == Strands(8)
    weights = model.weights()
    declared = {name: w for name, w in spec().weights().items() if w.tied_to is None}
    assert weights.keys() == declared.keys()
    assert all(isinstance(x, np.ndarray) and x.shape == declared[n].shape for n, x in weights.items())


def test_a_chain_that_does_not_type_check_is_refused() -> None:
    mixers = [parts.BiMamba(), parts.BiMamba(d_model=128)]
    with pytest.raises(ValueError, match=r"mixers\.1 expects Strands\(128\), receives Strands\(64\)"):
        parts.Model(embedding=parts.Embedding(d_model=64), mixers=mixers)
    with pytest.raises(ValueError, match=r"mixers\.0 expects Strands\(64\), receives Track\(64\)"):
        parts.Model(equivariance="ph", embedding=parts.Embedding(d_model=64), mixers=[parts.CrossStrand()])
    with pytest.raises(ValueError, match=r"head expects Strands\(3\), receives Strands\(64\)"):
        parts.Model(embedding=parts.Embedding(d_model=64), mixers=[], head=parts.MaskedLM(d_model=3))


def test_specs_are_frozen_and_closed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        spec().n_as = "pad"  # type: ignore[misc]
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        parts.Mamba(d_sate=16)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match=r"unknown kind 'bimanba'; did you mean 'bimamba'\? Known: .*mamba"):
        parts.Model(embedding=parts.Embedding(d_model=8), mixers=[{"kind": "bimanba"}])
    with pytest.raises(ValueError, match=r"head .*is a mixer, expected a head|bimamba is a mixer, expected a head"):
        parts.Model(embedding=parts.Embedding(d_model=8), mixers=[], head=parts.BiMamba())


def test_backends_that_there_are(caplog: pytest.LogCaptureFixture) -> None:
    """`auto` takes the fastest that is present, never the reference, and says once which."""
    found = caduceus.available_backends()
    assert [info.name for info in found] == ["cuda", "cpu", "torch", "reference"]
    assert caduceus.BackendInfo._fields == ("name", "available", "reason")
    assert all(isinstance(info, caduceus.BackendInfo) and info.reason for info in found)
    registry._fastest.cache_clear()
    with caplog.at_level(logging.INFO, "caduceus"):
        first, second = caduceus.get_backend("auto"), caduceus.get_backend("auto")
    assert first is second
    assert first.name == next(info.name for info in found if info.available and info.name != "cuda") != "reference"
    assert [record.getMessage() for record in caplog.records] == [f"backend auto: {first.name}"]


def test_a_backend_that_is_absent_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to do instead, and nothing falls back."""
    gone = registry._Entry("", lambda: "compiler is missing; pip install compiler", "")
    monkeypatch.setitem(registry._BACKENDS, "cpu", gone)
    for ask in (caduceus.get_backend, lambda name: caduceus.build(spec(), backend=name)):
        with pytest.raises(BackendUnavailable, match=r"backend 'cpu' cannot run here: .*pip install compiler"):
            ask("cpu")
    with pytest.raises(ValueError, match="unknown backend 'warp', expected auto, cuda, cpu, torch, reference"):
        caduceus.get_backend("warp")


def test_nothing_acts_in_other_projects() -> None:
    assert [e for e in distribution("caduceus").entry_points if e.group == "pytest11"] == []


def test_check_takes_what_it_says(subject: Subject) -> None:
    defaults = {"lengths": (1, 2, 3, 17, 64), "batch": 2, "n": 8, "seed": 0}
    assert keyword_only(caduceus.check.equivariance_error) == defaults
    ps, plain = subject.build(spec()), subject.build(spec("none"))
    assert caduceus.check.equivariance_error(ps, lengths=(1, 6), n=2) == 0.0
    assert caduceus.check.equivariance_error(plain, lengths=(1, 6), n=2) > 1e-3
    caduceus.check.assert_equivariant(ps, lengths=(4,), n=1)
    caduceus.check.assert_bidirectional(ps)
    with pytest.raises(AssertionError, match="equivariance error is"):
        caduceus.check.assert_equivariant(plain, lengths=(4,), n=1)
    one_way = spec("none").model_copy(update={"mixers": (parts.Mamba(),)})
    with pytest.raises(AssertionError, match=r"positions \[0, 1, .* do not depend on the last base: not bidirectional"):
        caduceus.check.assert_bidirectional(subject.build(one_way))


def test_check_looks_at_a_model_in_eval_mode_and_leaves_its_mode() -> None:
    head = parts.SequenceClassifier(conjoin="eval")
    model = caduceus.build(spec("ph", head))
    assert caduceus.check.equivariance_error(model, lengths=(5,), n=1) == 0.0
    assert model.training


def test_what_is_no_text_is_not_encoded() -> None:
    with pytest.raises(TypeError, match="sequence 1 is bytes, expected str"):
        caduceus.encode(["ACGT", b"ACGT"])  # type: ignore[list-item]


def test_a_model_without_spaces_cannot_be_checked() -> None:
    with pytest.raises(TypeError, match="has no space_in and space_out"):
        caduceus.check.equivariance_error(lambda ids: ids)
