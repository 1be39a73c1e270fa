"""Which head `load_pretrained` gives: what the tensors say, and what a caller may ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caduceus
from caduceus import parts
from caduceus.conformance.checkpoints.folders import (
    identical,
    named_as,
    small,
    small_lm,
    stored,
    write_official,
    written,
)
from caduceus.weights import draw

PREFIX = "caduceus."
CLASSIFIER = parts.SequenceClassifier(num_labels=3, pooling="max")


def _folder(tmp_path: Path, spec: parts.Model, **config: Any) -> Path:
    """The official folder of a fresh model, fields of its config replaced."""
    fields, tensors = stored(written(tmp_path / "whole", spec))
    return write_official(tmp_path / "edited", {**fields, **config}, tensors)


def _only(tmp_path: Path, spec: parts.Model, keep: str, prefix: bool, **config: Any) -> Path:
    """Only the tensors of the backbone, with or without the prefix."""
    fields, tensors = stored(written(tmp_path / "whole", spec))
    backbone = {key: value for key, value in tensors.items() if keep in key}
    if not prefix:
        backbone = {key.removeprefix(PREFIX): value for key, value in backbone.items()}
    return write_official(tmp_path / "edited", {**fields, **config}, backbone)


@pytest.mark.parametrize("equivariance", ["ps", "ph"])
@pytest.mark.parametrize("head", [None, parts.MaskedLM(), CLASSIFIER])
@pytest.mark.parametrize("declared", [True, False])
def test_tensors_decide(equivariance: str, head: Any, declared: bool, tmp_path: Path) -> None:
    spec = small_lm(equivariance, head=head, n_as="n")
    folder = _folder(tmp_path, spec, **({} if declared else {"architectures": None}))
    assert caduceus.load_pretrained(folder).spec == spec


def test_backbone_without_prefix_has_no_head(tmp_path: Path) -> None:
    for equivariance in ("ps", "ph"):
        folder = _only(tmp_path / equivariance, small_lm(equivariance), "backbone.", prefix=False)
        model = caduceus.load_pretrained(folder)
        assert model.spec.head is None
        model = caduceus.load_pretrained(folder, task="masked_lm")
        assert model.spec == small_lm(equivariance)


def test_prefix_without_head_tensors(tmp_path: Path) -> None:
    """A tied plain language model leaves no tensor of its head behind, a ps one leaves its complement map."""
    assert caduceus.load_pretrained(_only(tmp_path / "ph", small_lm("ph"), "backbone.", True)).spec == small_lm("ph")
    assert caduceus.load_pretrained(_only(tmp_path / "ps", small_lm("ps"), "backbone.", True)).spec.head is None
    base = _only(tmp_path / "base", small_lm("ph"), "backbone.", True, architectures=["Caduceus"])
    assert caduceus.load_pretrained(base).spec.head is None


@pytest.mark.parametrize("layers", [2, 3])
def test_backbone_of_a_language_model(layers: int, tmp_path: Path) -> None:
    folder = written(tmp_path, small_lm(layers=layers))
    ids = np.array([[7, 8, 9, 10, 11]])
    whole = caduceus.load_pretrained(folder)
    for task in ("backbone", "features"):
        model = caduceus.load_pretrained(folder, task=task)
        assert model.spec.head is None
        assert (model(ids) == whole.features(ids)).all()


def test_backbone_of_odd_fused_depth_becomes_the_language_model_it_was(tmp_path: Path) -> None:
    """Its table is stored as the head has it, so the head that is added is the file's table, not the model's."""
    fields, tensors = stored(written(tmp_path / "plain", small_lm(layers=3)))
    fields["fused_add_norm"] = True
    fused = named_as(True, tensors)
    folder = write_official(tmp_path / "fused", fields, fused)
    backbone = {key.removeprefix(PREFIX): value for key, value in fused.items() if "backbone." in key}
    headless = write_official(tmp_path / "headless", fields, backbone)
    expected = caduceus.load_pretrained(folder)
    model = caduceus.load_pretrained(headless, task="masked_lm")
    assert model.spec == expected.spec
    assert expected.spec.head.tie == "none"
    assert identical(model.weights(), expected.weights())


@pytest.mark.parametrize("layout", ["official", "caduceus"])
def test_fresh_classifier(layout: Any, tmp_path: Path) -> None:
    source = caduceus.build(small_lm(layers=3), seed=5)
    caduceus.save_pretrained(source, tmp_path, layout=layout)
    model = caduceus.load_pretrained(tmp_path, task="classification", head="new", num_labels=3, pooling="last")
    assert model.spec.head == parts.SequenceClassifier(num_labels=3, pooling="last")
    found = model.weights()
    head = {n: w for n, w in model.spec.weights().items() if n.startswith("head.")}
    assert np.array_equal(found.pop("head.weight"), draw(head, seed=0)["head.weight"].astype(np.float32))
    assert identical(found, {name: value for name, value in source.weights().items() if not name.startswith("head.")})
    again = caduceus.load_pretrained(tmp_path, head="new", num_labels=3, pooling="last")
    assert identical(again.weights(), model.weights())


def test_fresh_classifier_follows_the_config(tmp_path: Path) -> None:
    fields = {"num_labels": 5, "pooling_strategy": "first", "conjoin_train": True, "problem_type": "regression"}
    folder = _folder(tmp_path, small_lm("ph"), **fields)
    assert caduceus.load_pretrained(folder, head="new").spec.head == parts.SequenceClassifier(
        num_labels=5, pooling="first", conjoin="always", problem_type="regression"
    )
    assert caduceus.load_pretrained(folder, head="new", num_labels=4, conjoin="eval").spec.head.conjoin == "eval"


def test_classifier_is_replaced_when_asked(tmp_path: Path) -> None:
    folder = written(tmp_path, small("ph", head=CLASSIFIER))
    assert caduceus.load_pretrained(folder, head="new", num_labels=7).spec.head.num_labels == 7


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "none"),
        ({"conjoin_eval": True}, "eval"),
        ({"conjoin_train": True}, "always"),
        ({"conjoin_train": True, "conjoin_eval": True}, "always"),
    ],
)
def test_conjoin_of_the_config(fields: dict[str, bool], expected: str, tmp_path: Path) -> None:
    folder = _folder(tmp_path, small("ph", head=CLASSIFIER), **fields)
    assert caduceus.load_pretrained(folder).spec.head.conjoin == expected
    assert caduceus.load_pretrained(folder, conjoin="eval", pooling="first").spec.head == parts.SequenceClassifier(
        num_labels=3, pooling="first", conjoin="eval"
    )


def test_ps_classifier_ignores_conjoin_of_the_config(tmp_path: Path) -> None:
    folder = _folder(tmp_path, small("ps", head=CLASSIFIER), conjoin_train=True)
    assert caduceus.load_pretrained(folder, conjoin="none").spec.head == CLASSIFIER


REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (parts.MaskedLM(), {"task": "classification"}, "holds a masked language model; head='new' adds a fresh"),
    (None, {"task": "sequence_classification"}, "holds a backbone without a head; head='new'"),
    (CLASSIFIER, {"task": "masked_lm"}, "task is 'masked_lm', but the file holds a classifier"),
    (CLASSIFIER, {"num_labels": 2}, "num_labels is 2, but the file's classifier has 3"),
    (CLASSIFIER, {"conjoin": "always"}, "conjoin is 'always', expected none: a ps model reads both strands"),
    (CLASSIFIER, {"head": "new", "conjoin": "eval"}, "a ps model reads both strands"),
    (parts.MaskedLM(), {"pooling": "max"}, "pooling: for a classifier, but what is loaded is a masked_lm head"),
    (parts.MaskedLM(), {"task": "backbone", "num_labels": 3}, "num_labels: for a classifier, .* has no head"),
    (CLASSIFIER, {"task": "regression"}, "task is 'regression', expected one of masked_lm, classification"),
    (CLASSIFIER, {"pooling": "median"}, "pooling is 'median', expected one of mean, max, first, last, centre"),
    (CLASSIFIER, {"conjoin": "sometimes"}, "conjoin is 'sometimes', expected one of none, eval, always"),
    (CLASSIFIER, {"head": "fresh"}, "head is 'fresh', expected 'strict' or 'new'"),
    (parts.MaskedLM(), {"head": "new", "task": "masked_lm"}, "head='new' makes a classifier"),
    (parts.MaskedLM(), {"head": "new", "num_labels": 0}, "num_labels"),
]


@pytest.mark.parametrize(("head", "options", "message"), REFUSED)
@pytest.mark.parametrize("layout", ["official", "caduceus"])
def test_refused(layout: Any, head: Any, options: dict[str, Any], message: str, tmp_path: Path) -> None:
    caduceus.save_pretrained(caduceus.build(small_lm(head=head)), tmp_path, layout=layout)
    with pytest.raises(ValueError, match=message):
        caduceus.load_pretrained(tmp_path, **options)


def test_options_need_a_model(tmp_path: Path) -> None:
    caduceus.save_pretrained(caduceus.build(parts.Symmetrize(model=small_lm("ph"))), tmp_path)
    with pytest.raises(ValueError, match="file holds symmetrize, expected a model"):
        caduceus.load_pretrained(tmp_path, task="backbone")


def test_missing_classifier_is_not_taken_for_a_language_model(tmp_path: Path) -> None:
    for equivariance in ("ps", "ph"):
        folder = _only(tmp_path / equivariance, small(equivariance, head=CLASSIFIER), "backbone.", prefix=True)
        with pytest.raises(ValueError, match=r"missing \['score.weight'\]"):
            caduceus.load_pretrained(folder)


def test_untied_language_model_needs_its_head(tmp_path: Path) -> None:
    spec = small_lm("ph", head=parts.MaskedLM(tie="none"))
    folder = _only(tmp_path / "prefix", spec, "backbone.", prefix=True)
    with pytest.raises(ValueError, match=r"missing \['lm_head.weight'\]"):
        caduceus.load_pretrained(folder)
    folder = _only(tmp_path / "bare", spec, "backbone.", prefix=False)
    with pytest.raises(ValueError, match=r"missing lm_head\.weight: config\.json has tie_word_embeddings false"):
        caduceus.load_pretrained(folder, task="masked_lm")


def test_labels_of_config_and_tensor_agree(tmp_path: Path) -> None:
    folder = _folder(tmp_path, small("ph", head=CLASSIFIER), id2label={"0": "a", "1": "b"})
    with pytest.raises(ValueError, match=r"score.weight has 3 rows, expected 2, the labels of config.json"):
        caduceus.load_pretrained(folder)
