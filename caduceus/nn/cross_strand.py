"""Torch module of `parts.CrossStrand`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from caduceus.interfaces import Backend
from caduceus.nn.mamba import zero_masked
from caduceus.parts import CrossStrand as CrossStrandSpec
from caduceus.symmetry import flip


class CrossStrand(nn.Module):
    """Each strand hears the other: both outputs come from the same call on the partner's positions."""

    def __init__(self, spec: CrossStrandSpec, backend: Backend) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(spec.channels, spec.channels))

    def forward(self, first: Tensor, second: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """A pair of (B, L, C), each in its own order; ``mask`` is the first strand's."""
        other = None if mask is None else flip(mask, 1)
        return self._hear(second, other), self._hear(first, mask)

    def _hear(self, partner: Tensor, mask: Tensor | None) -> Tensor:
        return F.linear(flip(zero_masked(partner, mask), 1), self.weight)
