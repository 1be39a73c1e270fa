"""What a model declares is asserted, and a model that breaks its word is caught."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch

import caduceus
from caduceus import parts, zoo
from caduceus.train.properties import assert_declared

SPEC = parts.Model(embedding=parts.Embedding(d_model=8), mixers=[parts.BiMamba()] * 2, head=parts.MaskedLM())


class Broken(torch.nn.Module):
    """A built model with a fault put in front of, or behind, its forward."""

    def __init__(self, model: Any, fault: Any) -> None:
        super().__init__()
        self.model, self.fault = model, fault
        self.spec, self.space_in, self.space_out = model.spec, model.space_in, model.space_out

    def forward(self, ids: Any, mask: Any = None) -> torch.Tensor:
        return self.fault(self.model, torch.as_tensor(ids), None if mask is None else torch.as_tensor(mask))


def one_ulp_on_a_strand(model: Any, ids: Any, mask: Any) -> Any:
    y = model(ids, mask)
    return torch.cat([torch.nextafter(y[:, :1], torch.tensor(9.0)), y[:, 1:]], 1)


def causal(model: Any, ids: Any, mask: Any) -> Any:
    return torch.cat([model(ids[:, : i + 1])[:, -1:] for i in range(ids.shape[1])], 1)


def no_mask(model: Any, ids: Any, mask: Any) -> Any:
    return model(ids)


@pytest.mark.parametrize(
    ("fault", "equivariance", "said"),
    [
        (one_ulp_on_a_strand, "ps", "equivariance error"),
        (causal, "none", "not bidirectional"),
        (no_mask, "ps", "a mask is not obeyed"),
    ],
)
def test_a_broken_model_is_caught(fault: Any, equivariance: Any, said: str) -> None:
    model = caduceus.build(SPEC.model_copy(update={"equivariance": equivariance}), backend="torch")
    with pytest.raises(AssertionError, match=said):
        assert_declared(Broken(model, fault))  # type: ignore[arg-type]


def test_what_is_not_declared_is_said() -> None:
    spec = parts.Model(equivariance="none", embedding=parts.Embedding(d_model=8), mixers=[parts.Mamba()])
    assert [line.partition(":")[2].strip() for line in assert_declared(caduceus.build(spec, backend="torch"))] == [
        "not declared (none)",
        "not declared by every mixer",
        "outputs do not depend on padding",
    ]


def test_the_largest_model_takes_seconds() -> None:
    model = caduceus.build(zoo.spec("caduceus-ps-131k"), backend="torch")
    begin = time.process_time()
    assert len(assert_declared(model)) == 3
    assert time.process_time() - begin < 5
