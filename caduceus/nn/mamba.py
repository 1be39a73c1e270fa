"""Torch module of `parts.Mamba`.

Shapes: B batch, L length, C = d_model, E = d_inner, N = d_state, R = dt_rank, K = d_conv.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from caduceus.interfaces import Backend, FusedMamba, MambaDirection
from caduceus.parts import Mamba as MambaSpec


class Linear(nn.Linear):
    """A linear layer whose values are left to be loaded: building draws no random numbers."""

    def reset_parameters(self) -> None:
        """Nothing to draw."""


def zero_masked(x: Tensor, mask: Tensor | None) -> Tensor:
    """``x`` (B, L, ...) replaced by 0 where masked, so that even NaN there reaches neither values nor gradients."""
    return x if mask is None else x.masked_fill(~mask.unsqueeze(2), 0.0)


class Conv1d(nn.Module):
    """Holder of the taps (E, K) and bias (E,) of a depthwise convolution."""

    def __init__(self, channels: int, taps: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, taps))
        self.bias = nn.Parameter(torch.empty(channels)) if bias else None


class Inner(nn.Module):
    """What lies between in_proj and the gate: convolution, selection and scan, one way."""

    def __init__(self, spec: MambaSpec, backend: Backend) -> None:
        super().__init__()
        self.kernels = backend
        self.sizes = [spec.rank, spec.d_state, spec.d_state]
        self.conv1d = Conv1d(spec.d_inner, spec.d_conv, spec.conv_bias)
        self.x_proj = Linear(spec.d_inner, sum(self.sizes), bias=False)
        self.dt_proj = Linear(spec.rank, spec.d_inner, bias=False)
        self.dt_bias = nn.Parameter(torch.empty(spec.d_inner))
        self.A_log = nn.Parameter(torch.empty(spec.d_inner, spec.d_state))
        self.D = nn.Parameter(torch.empty(spec.d_inner))

    def direction(self, reverse: bool) -> MambaDirection:
        """Its weights, for a fused kernel."""
        conv = self.conv1d
        return MambaDirection(
            conv.weight,
            conv.bias,
            self.x_proj.weight,
            self.dt_proj.weight,
            self.dt_bias,
            -torch.exp(self.A_log),
            self.D,
            reverse,
        )

    def scan(self, x: Tensor, mask: Tensor | None, reverse: bool) -> Tensor:
        """S (B, L, E) of x (B, L, E), before the gate."""
        conv = self.conv1d
        u, _ = self.kernels.causal_conv(x, conv.weight, conv.bias, activation="silu", reverse=reverse, mask=mask)
        dt, B, C = self.x_proj(u).split(self.sizes, dim=-1)
        y, _ = self.kernels.selective_scan(
            u,
            self.dt_proj(dt),
            -torch.exp(self.A_log),
            B,
            C,
            D=self.D,
            dt_bias=self.dt_bias,
            dt_softplus=True,
            reverse=reverse,
            mask=mask,
        )
        return y


class Mamba(Inner):
    """One direction with its own projections."""

    def __init__(self, spec: MambaSpec, backend: Backend) -> None:
        super().__init__(spec, backend)
        self.reverse = spec.direction == "reverse"
        self.in_proj = Linear(spec.channels, 2 * spec.d_inner, spec.bias)
        self.out_proj = Linear(spec.d_inner, spec.channels, spec.bias)
        self.gate = nn.SiLU()
        fuse = getattr(backend, "fused_mamba", None)
        self.fused: FusedMamba | None = None if fuse is None else fuse(d_state=spec.d_state, d_conv=spec.d_conv)

    def forward(self, h: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, L, C) to (B, L, C); exactly 0 where masked."""
        return zero_masked(self.walk(h, mask, self.reverse), mask)

    def walk(self, h: Tensor, mask: Tensor | None, reverse: bool) -> Tensor:
        if self.fused is not None:
            return self.fused(h, *self.projections(), [self.direction(reverse)], mask)
        x, z = self.in_proj(zero_masked(h, mask)).chunk(2, dim=-1)
        return self.out_proj(self.scan(x, mask, reverse) * self.gate(z))

    def projections(self) -> tuple[Tensor, Tensor | None, Tensor, Tensor | None]:
        """Weights and biases of in_proj and out_proj, for a fused kernel."""
        return self.in_proj.weight, self.in_proj.bias, self.out_proj.weight, self.out_proj.bias
