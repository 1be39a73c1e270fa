"""Torch modules of the heads: f of one strand. The model joins the strands."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from caduceus.interfaces import Backend
from caduceus.nn.mamba import zero_masked
from caduceus.nn.pool import pool
from caduceus.parts import Head as HeadSpec
from caduceus.parts import MaskedLM as MaskedLMSpec


class LinearHead(nn.Module):
    """A linear map of each position, or of the pooled strand: (B, L, C) to (B, L, outputs) or (B, outputs)."""

    def __init__(self, spec: HeadSpec, backend: Backend) -> None:
        super().__init__()
        self.pooling = spec.pooling
        shapes = {name: weight.shape for name, weight in spec.weights().items()}
        self.weight = nn.Parameter(torch.empty(shapes["weight"]))
        self.bias = nn.Parameter(torch.empty(shapes["bias"])) if "bias" in shapes else None

    def forward(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.pooling is not None:
            return F.linear(pool(features, self.pooling, mask), self.weight, self.bias)
        return zero_masked(F.linear(features, self.weight, self.bias), mask)


class MaskedLM(LinearHead):
    """Logits of every token; tied, the model gives it the embedding's own parameter."""

    def __init__(self, spec: MaskedLMSpec, backend: Backend) -> None:
        super().__init__(spec, backend)
        self.tied = spec.tie == "embedding"
