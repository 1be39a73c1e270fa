"""Torch module of `parts.BiMamba`: both directions from one product in and, with `add`, one product out."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from caduceus.interfaces import Backend
from caduceus.nn.mamba import Inner, Mamba, zero_masked
from caduceus.parts import BiMamba as BiMambaSpec


class BiMamba(nn.Module):
    """Two directions over one strand; tied, the reverse direction owns no projections."""

    def __init__(self, spec: BiMambaSpec, backend: Backend) -> None:
        super().__init__()
        self.tied = spec.tie == "projections"
        self.add = spec.fusion == "add"
        self.fwd = Mamba(spec.cell, backend)
        self.rev: Any = (Inner if self.tied else Mamba)(spec.cell, backend)

    def forward(self, h: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, L, C) to (B, L, C); exactly 0 where masked."""
        if self.tied:
            out = self._shared(h, mask)
        else:
            out = self._join(self.fwd.walk(h, mask, reverse=False), self.rev.walk(h, mask, reverse=True))
        return zero_masked(out, mask)

    def _shared(self, h: Tensor, mask: Tensor | None) -> Tensor:
        """The algebra of a tied pair: the flip commutes with what is done position by position."""
        if self.add and self.fwd.fused is not None:
            both = [self.fwd.direction(reverse=False), self.rev.direction(reverse=True)]
            return self.fwd.fused(h, *self.fwd.projections(), both, mask)
        x, z = self.fwd.in_proj(zero_masked(h, mask)).chunk(2, dim=-1)
        gate = self.fwd.gate(z)
        forward, backward = self.fwd.scan(x, mask, reverse=False), self.rev.scan(x, mask, reverse=True)
        out_proj = self.fwd.out_proj
        if not self.add:
            return out_proj(forward * gate) * out_proj(backward * gate)
        out = out_proj((forward + backward) * gate)
        # Each direction adds the bias of out_proj: the one product has added it once.
        return out if out_proj.bias is None else out + out_proj.bias

    def _join(self, forward: Tensor, backward: Tensor) -> Tensor:
        return forward + backward if self.add else forward * backward
