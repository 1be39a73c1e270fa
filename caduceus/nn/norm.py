"""Torch module of `parts.Norm`: add to the residual stream, then norm."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from caduceus.interfaces import Backend
from caduceus.parts import Norm as NormSpec


class Norm(nn.Module):
    """(x, residual) to (norm(x + residual), x + residual)."""

    def __init__(self, spec: NormSpec, backend: Backend) -> None:
        super().__init__()
        self.kernels = backend
        self.kind, self.eps = spec.kind, spec.eps
        self.weight = nn.Parameter(torch.empty(spec.channels))
        self.bias = nn.Parameter(torch.empty(spec.channels)) if spec.kind == "layer" else None

    def forward(self, x: Tensor, residual: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.kernels.add_norm(x, self.weight, self.bias, residual, self.eps, self.kind)
