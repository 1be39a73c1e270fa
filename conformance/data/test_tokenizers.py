"""The two official tokenizers, for every string whose official ids were recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from caduceus.conformance.data.conftest import GOLDEN
from caduceus.tokenizers import CaduceusTokenizer, CharacterTokenizer

RECORDED = json.loads((GOLDEN / "tokenizer.json").read_text(encoding="utf-8"))
TOKENIZERS = {"caduceus": CaduceusTokenizer(), "character": CharacterTokenizer()}
PAD16 = {"padding": "max_length", "max_length": 16, "truncation": True}
CALLS: dict[str, dict[str, Any]] = {
    "no_special": {"add_special_tokens": False},
    "default": {},
    "pad16": {"add_special_tokens": False, **PAD16},
    "pad16_special": PAD16,
}


@pytest.mark.parametrize("sample", RECORDED["cases"], ids=lambda sample: repr(sample["seq"]))
def test_gives_the_recorded_encodings(sample: dict[str, Any]) -> None:
    recorded = {key: value for key, value in sample.items() if key != "seq"}
    given = {
        f"{name}/{call}": tokenizer(sample["seq"], **options)
        for name, tokenizer in TOKENIZERS.items()
        for call, options in CALLS.items()
    }
    assert given == recorded


@pytest.mark.parametrize("name", TOKENIZERS)
def test_names_and_special_ids(name: str) -> None:
    tokenizer = TOKENIZERS[name]
    assert tokenizer.get_vocab() == RECORDED["vocab"]
    assert len(tokenizer) == RECORDED[f"len_{name}"]
    assert tokenizer.padding_side == RECORDED["padding_side"]
    complements = RECORDED["complement_map" if name == "caduceus" else "character_complement_map"]
    assert {str(k): v for k, v in tokenizer.complement_map.items()} == complements
    for token, i in RECORDED[f"{name}_special_ids"].items():
        assert getattr(tokenizer, f"{token}_token_id") == i


def test_input_names() -> None:
    assert list(CaduceusTokenizer.model_input_names) == RECORDED["model_input_names"]
    assert list(CharacterTokenizer.model_input_names) == RECORDED["character_model_input_names"]


@pytest.mark.parametrize("tokenizer", TOKENIZERS.values(), ids=TOKENIZERS)
def test_decodes_as_recorded(tokenizer: CaduceusTokenizer | CharacterTokenizer) -> None:
    ids = [7, 8, 9, 10, 11, 3, 4, 1]
    assert [tokenizer.decode(ids), tokenizer.decode(ids, skip_special_tokens=True)] == RECORDED["decode_example"]


def test_several_texts_are_padded_to_one_length() -> None:
    encoded = CharacterTokenizer()(["AC", ""], padding="max_length", max_length=4)
    assert encoded["input_ids"] == [[0, 7, 8, 1], [4, 4, 0, 1]]
    assert encoded["attention_mask"] == [[1, 1, 1, 1], [0, 0, 1, 1]]


@pytest.mark.parametrize("options", [{"padding": "max_length"}, {"truncation": True}])
def test_asks_for_a_length_where_it_needs_one(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="max_length"):
        CaduceusTokenizer()("ACGT", **options)
