"""Specs of every kind through YAML and plain values, and what is refused."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import caduceus
from caduceus import parts
from caduceus.conformance import strategies
from caduceus.conformance.properties import weights
from caduceus.spec import Spec

EMBEDDING = parts.Embedding(d_model=8)


@given(strategies.any_models)
def test_yaml_round_trip(spec: Spec) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert weights.check_yaml(spec, Path(folder)) == 0.0


@given(strategies.alphabets.filter(lambda a: a.size > 4), st.booleans())
def test_alphabets_round_trip(alphabet: Any, text: bool) -> None:
    """YAML may have text for keys, as JSON has."""
    complement = {str(i) if text else i: j for i, j in enumerate(alphabet.complement)}
    data = {"embedding": {"kind": "embedding", "d_model": 4, "vocab_size": alphabet.size}, "mixers": []}
    data["embedding"]["complement_map"] = complement  # type: ignore[index]
    spec = parts.Model.model_validate(yaml.safe_load(yaml.safe_dump(data)))
    assert spec.space_in.alphabet == alphabet  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as folder:
        assert weights.check_yaml(spec, Path(folder)) == 0.0


@given(strategies.any_models)
def test_declared_weights_are_the_models(spec: Spec) -> None:
    """Names and shapes that a spec declares are those of the torch model; nothing is drawn for a tied weight."""
    declared = {name: w.shape for name, w in spec.weights().items() if w.tied_to is None}
    built = caduceus.build(spec).weights()
    assert {name: x.shape for name, x in built.items()} == declared
    assert {name: x.shape for name, x in spec.initial_weights(0).items()} == declared


def test_ties_are_ties() -> None:
    """One parameter for both uses; untied, two."""
    tied, untied = (
        caduceus.build(parts.Model(embedding=EMBEDDING, mixers=[parts.BiMamba(tie=t)], head=parts.MaskedLM(tie=h)))
        for t, h in (("projections", "embedding"), ("none", "none"))
    )
    assert tied.head.weight is tied.embedding.weight
    assert set(untied.weights()) - set(tied.weights()) == {
        "head.weight",
        "mixers.0.rev.in_proj.weight",
        "mixers.0.rev.out_proj.weight",
    }


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"mixers": []}, "embedding"),
        ({"embedding": {"kind": "embedding"}, "mixers": []}, "d_model"),
        ({"embedding": EMBEDDING, "mixers": [{"width": 9}]}, "no kind given, expected one of bimamba, cross_strand"),
        ({"embedding": EMBEDDING, "mixers": [{"kind": "no_such.file:Conv"}]}, "is the file's folder on PYTHONPATH"),
        ({"embedding": EMBEDDING, "mixers": [{"kind": "pathlib:Path"}]}, r"expected a subclass of caduceus"),
        ({"embedding": EMBEDDING, "mixers": [{"kind": "mamba", "direction": "up"}]}, "direction"),
        ({"embedding": EMBEDDING, "mixers": [{"kind": "mamba", "dt_min": 1, "dt_max": 0.1}]}, "dt_min is 1.0"),
        ({"embedding": EMBEDDING, "mixers": [], "equivariance": "rc"}, "equivariance"),
        ({"embedding": EMBEDDING, "mixers": [], "layers": 4}, "layers"),
        ({"embedding": EMBEDDING, "mixers": [], "head": {"kind": "track_head"}}, "track_head has no channels"),
        (
            {"embedding": EMBEDDING, "mixers": [], "head": {"kind": "sequence_classifier", "conjoin": "eval"}},
            "head.conjoin is for plain models",
        ),
        (
            {"embedding": {"kind": "embedding", "d_model": 8, "complement_map": {0: 1, 1: 2, 2: 0}}, "mixers": []},
            "not an involution: 0 -> 1 -> 2",
        ),
        (
            {"embedding": EMBEDDING, "mixers": [{"kind": "bimamba", "mamba": {"direction": "reverse"}}]},
            "bimamba walks both ways",
        ),
    ],
)
def test_what_is_refused(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parts.Model.model_validate(data)


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "is not YAML"), ("- 1", "a spec is a mapping of fields, got list"), ("", "NoneType")]
)
def test_files_that_are_no_specs(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        caduceus.load_spec(path)


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        caduceus.load_spec(tmp_path / "none.yaml")
