"""The contract of files, losses and text. Official checkpoints in depth are in checkpoints/."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.conformance.catalogue import BOTH
from caduceus.conformance.subjects import Subject

KEYWORDS: dict[str, Any] = dict.fromkeys(("task", "pooling", "conjoin", "num_labels"))
KEYWORDS |= {"head": "strict", "backend": "auto", "dtype": None, "device": None}


def model_of(equivariance: str = "ps", head: parts.Head | None = None, **options: Any) -> Any:
    spec = parts.Model(
        equivariance=equivariance, embedding=parts.Embedding(d_model=6), mixers=[BOTH, BOTH], head=head, n_as="pad"
    )
    return caduceus.build(spec, **options)


def test_signatures() -> None:
    loading = inspect.signature(caduceus.load_pretrained).parameters
    assert next(iter(loading)) == "folder"
    assert {n: p.default for n, p in loading.items() if p.kind is p.KEYWORD_ONLY and n in KEYWORDS} == KEYWORDS
    saving = inspect.signature(caduceus.save_pretrained).parameters
    assert {n: p.default for n, p in list(saving.items())[2:]} == {"layout": "caduceus"}
    assert list(saving)[:2] == ["model", "folder"]
    assert inspect.signature(caduceus.official_state).parameters["what"].default == "weights"


@pytest.mark.parametrize(
    ("layout", "names"),
    [("caduceus", ["model.safetensors", "spec.yaml"]), ("official", ["config.json", "model.safetensors"])],
)
def test_layouts(subject: Subject, tmp_path: Path, layout: str, names: list[str]) -> None:
    model = subject.build(model_of(head=parts.MaskedLM()).spec)
    caduceus.save_pretrained(model, tmp_path / "model", layout=layout)
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == names
    again = caduceus.load_pretrained(tmp_path / "model", backend=subject.backend)
    assert not again.training
    assert again.spec == model.spec


def test_conjoined_classifier_takes_a_sequence_or_the_official_pair(tmp_path: Path) -> None:
    model = model_of("ph", parts.SequenceClassifier(num_labels=3, conjoin="always"))
    caduceus.save_pretrained(model, tmp_path / "model", layout="official")
    ids = np.array([[7, 8, 9, 9, 11]])
    pair = np.stack([ids, model.space_in.act(ids)], axis=-1)
    for conjoin in ("eval", "always"):
        again = caduceus.load_pretrained(tmp_path / "model", conjoin=conjoin)
        assert torch.equal(again(ids), again(pair))
        assert again(ids).shape == (1, 3)
    alone = caduceus.load_pretrained(tmp_path / "model", conjoin="none")
    assert not torch.equal(alone(ids), again(ids))
    with pytest.raises(ValueError, match=r"\(1, 5, 2\), expected \(B, L\)"):
        alone(pair)


def test_official_state_of_gradients_sums_tied_uses() -> None:
    model = model_of("ph", parts.MaskedLM(), dtype="float64")
    ids = np.array([[7, 8, 9, 9, 11]])
    loss, _ = caduceus.losses.masked_lm(model(ids), torch.tensor(ids))
    loss.backward()
    found = caduceus.official_state(model, "grads")
    name = "caduceus.backbone.embeddings.word_embeddings.weight"
    assert "lm_head.weight" not in found
    assert torch.equal(found[name], model.embedding.weight.grad)
    assert not found[name].eq(0).all()


def test_masked_lm_loss() -> None:
    parameters = inspect.signature(caduceus.losses.masked_lm).parameters
    assert list(parameters) == ["logits", "labels", "loss_weights", "ignore_index"]
    assert (parameters["loss_weights"].default, parameters["ignore_index"].default) == (None, 4)
    logits = torch.randn(2, 3, 16, dtype=torch.bfloat16, requires_grad=True)
    labels = torch.tensor([[7, 4, 4], [4, 9, 10]])
    weights = torch.tensor([[1.0, 5.0, 5.0], [5.0, 2.0, 3.0]])
    given = [logits.detach().clone(), labels.clone(), weights.clone()]
    loss, n_targets = caduceus.losses.masked_lm(logits, labels, weights)
    assert (loss.dtype, loss.shape, n_targets) == (torch.float32, (), 3)
    assert isinstance(n_targets, int)
    ce = torch.nn.functional.cross_entropy(logits.detach().float()[labels != 4], labels[labels != 4], reduction="none")
    assert loss.item() == pytest.approx(((ce * torch.tensor([1.0, 2.0, 3.0])).sum() / 6).item(), rel=1e-6)
    loss.backward()
    assert all(torch.equal(a, b) for a, b in zip(given, (logits, labels, weights), strict=True))


def test_masked_lm_loss_without_targets() -> None:
    logits = torch.randn(2, 3, 16, requires_grad=True)
    loss, n_targets = caduceus.losses.masked_lm(logits, torch.full((2, 3), 4))
    assert (loss.item(), n_targets) == (0.0, 0)
    loss.backward()
    assert logits.grad is not None
    assert not logits.grad.any()


def test_encode_and_decode() -> None:
    parameters = inspect.signature(caduceus.encode).parameters
    assert {n: p.default for n, p in parameters.items()} == {
        "sequences": inspect.Parameter.empty,
        "pad_to": None,
        "side": "left",
    }
    ids, mask = caduceus.encode(["ACGTN", "gt"])
    assert ids.tolist() == [[7, 8, 9, 10, 11], [4, 4, 4, 9, 10]]
    assert (ids.dtype, mask.dtype) == (np.int64, np.bool_)
    assert mask.tolist() == [[True] * 5, [False] * 3 + [True] * 2]
    ids, mask = caduceus.encode(["ACGTN", "gt"], pad_to=6, side="right")
    assert ids.tolist() == [[7, 8, 9, 10, 11, 4], [9, 10, 4, 4, 4, 4]]
    assert caduceus.decode(ids) == ["ACGTN[PAD]", "GT[PAD][PAD][PAD][PAD]"]
    with pytest.raises(ValueError, match="sequence 1 has 4 tokens, expected at most pad_to=3"):
        caduceus.encode(["AC", "ACGT"], pad_to=3)


def test_what_is_encoded_can_be_given_to_a_model(subject: Subject) -> None:
    model = subject.build(model_of(head=parts.MaskedLM()).spec)
    ids, mask = caduceus.encode(["ACGTN", "gt"])
    assert model(ids, mask).shape == (2, 5, 16)
