"""What a model, a check or a loss cannot read is said in words of this library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.check import equivariance_error
from caduceus.losses import classification

SINGLE = "single_label_classification"


def small(**mamba: Any) -> Any:
    mixer = parts.BiMamba(mamba=parts.Mamba(**mamba))
    return caduceus.build(parts.Model(embedding=parts.Embedding(d_model=8), mixers=[mixer], head=parts.MaskedLM()))


REFUSED: dict[str, tuple[type[Exception], str, Callable[[], Any]]] = {
    "strings": (TypeError, r"list is no array .* caduceus\.encode", lambda: small()(["ACGT"])),
    "ragged": (TypeError, r"list is no array of one shape", lambda: small()([[7, 8], [9]])),
    "nothing": (TypeError, r"NoneType is no array", lambda: small()(None)),
    "no lengths": (
        ValueError,
        r"nothing would be compared",
        lambda: equivariance_error(small(), lengths=()),
    ),
    "no inputs": (ValueError, r"n 0 .* nothing would be", lambda: equivariance_error(small(), n=0)),
    "no channels": (ValueError, r"expand is 0\.001 and d_model 8: no channel", lambda: small(expand=0.001)),
    "a name": (TypeError, r"got str; caduceus\.zoo\.spec", lambda: caduceus.build("caduceus-ps-1k-d118")),  # type: ignore[arg-type]
    "half a class": (
        ValueError,
        r"labels hold 0\.5, expected whole numbers from 0 to 2",
        lambda: classification(torch.zeros(2, 3), torch.tensor([1.0, 0.5]), SINGLE),
    ),
    "a class too many": (
        ValueError,
        r"labels hold 3, expected whole numbers from 0 to 2",
        lambda: classification(torch.zeros(2, 3), torch.tensor([1, 3]), SINGLE),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what: str) -> None:
    error, message, call = REFUSED[what]
    with pytest.raises(error, match=message):
        call()


def test_classes_may_be_whole_numbers_of_any_type() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0]])
    found = [classification(logits, torch.tensor([2], dtype=dtype), SINGLE) for dtype in (torch.int64, torch.float32)]
    assert torch.equal(*found)
