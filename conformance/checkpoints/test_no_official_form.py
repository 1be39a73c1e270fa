"""What the official layout cannot hold is refused by field, and nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import caduceus
from caduceus import parts
from caduceus.conformance.checkpoints.folders import Scale, small, small_lm

_BACKWARDS = parts.Mamba(d_state=3, direction="reverse")
UNOFFICIAL: dict[str, tuple[Any, str]] = {
    "symmetrize": (parts.Symmetrize(model=small_lm("ph")), "spec is symmetrize"),
    "no mixers": (small_lm(layers=0), "mixers is empty"),
    "third party": (small(mixer=Scale()), r"mixers\.0 is .*:Scale, .* expected bimamba or mamba"),
    "cross strand": (
        small_lm(mixers=(parts.BiMamba(), parts.CrossStrand())),
        r"mixers\.1 is cross_strand, which has no official form",
    ),
    "mixed": (small_lm("ph", mixers=(parts.BiMamba(), parts.BiMamba(tie="none"))), r"mixers\.1 is .*same as mixers\.0"),
    "reverse": (
        small_lm("ph", mixer=_BACKWARDS),
        r"mixers\.0\.direction is reverse",
    ),
    "ps reverse": (
        small_lm(layers=3, mixer=_BACKWARDS),
        r"mixers\.0\.direction is reverse.*expected all forward, or reverse in every other layer",
    ),
    "track": (small(head=parts.TrackHead(invariant=1)), "head is track_head"),
    "vector": (small("ph", head=parts.VectorHead(invariant=1)), "head is vector_head"),
    "pooling": (
        small("ph", head=parts.SequenceClassifier(pooling="centre")),
        r"head\.pooling is centre.*mean, max, first, last",
    ),
    "bias": (small("ph", head=parts.SequenceClassifier(bias=True)), r"head\.bias is True"),
    "ps untied": (small_lm(head=parts.MaskedLM(tie="none")), r"head\.tie is none.*expected embedding"),
    "ps untied, odd": (small_lm(layers=3, head=parts.MaskedLM(tie="none")), r"head\.tie is none.*expected embedding"),
}


@pytest.mark.parametrize("name", UNOFFICIAL)
def test_no_official_form(name: str, tmp_path: Path) -> None:
    spec, message = UNOFFICIAL[name]
    model = caduceus.build(spec)
    with pytest.raises(ValueError, match=message):
        caduceus.save_pretrained(model, tmp_path / "folder", layout="official")
    assert not (tmp_path / "folder").exists()
    with pytest.raises(ValueError, match=message):
        caduceus.official_state(model)


def test_state_needs_gradients_and_a_known_word() -> None:
    model = caduceus.build(small_lm())
    with pytest.raises(ValueError, match="no parameter has a gradient, expected some: call backward"):
        caduceus.official_state(model, "grads")
    with pytest.raises(ValueError, match="what is 'gradients', expected 'weights' or 'grads'"):
        caduceus.official_state(model, "gradients")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="has no gradients"):
        caduceus.official_state(caduceus.build(small_lm(), backend="reference"), "grads")
