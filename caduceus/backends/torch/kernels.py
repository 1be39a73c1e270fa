"""The three kernels of the portable backend; `caduceus.interfaces` has their formulas.

Whatever the dtype of the input, they compute in float32 or wider and return the dtype of the input, as mamba-ssm does:
the recurrence loses its long memory in half precision. Autocast is switched off inside for the same reason.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from caduceus.backends.torch.scan import scan
from caduceus.shapes import check_conv, check_norm, check_scan

SOFTPLUS_THRESHOLD = 20.0


class TorchBackend:
    """Plain torch operations."""

    name = "torch"
    dtypes: tuple[str, ...] = ("float32", "float64", "bfloat16", "float16")
    twice_differentiable = True

    @staticmethod
    def selective_scan(
        u: Tensor,
        dt: Tensor,
        A: Tensor,
        B: Tensor,
        C: Tensor,
        D: Tensor | None = None,
        z: Tensor | None = None,
        dt_bias: Tensor | None = None,
        dt_softplus: bool = False,
        reverse: bool = False,
        state: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """See `caduceus.interfaces.Scan`. Memory: (B, L, E) tensors and the states of one chunk of steps."""
        check_scan(u, dt, A, B, C, D, z, dt_bias, state, mask)
        wide = _wide(u)
        with torch.autocast(u.device.type, enabled=False):
            x, delta, A, B, C = (v.to(wide) for v in (u, dt, A, B, C))
            driver = x
            if mask is not None:
                # Before the softplus too: a NaN that only `where` hides after it would still reach the gradient.
                valid = mask.unsqueeze(2)
                delta, driver, B = (v.masked_fill(~valid, 0.0) for v in (delta, x, B))
            if dt_bias is not None:
                delta = delta + dt_bias.to(wide)
            if dt_softplus:
                delta = F.softplus(delta, threshold=SOFTPLUS_THRESHOLD)
            if mask is not None:
                delta = delta.masked_fill(~valid, 0.0)
            if state is None:
                state = x.new_zeros(x.shape[0], x.shape[2], A.shape[1])
            y, last = scan(driver, delta, A, B, C, state.to(wide), reverse)
            if D is not None:
                y = torch.addcmul(y, x, D.to(wide))
            if z is not None:
                y = y * F.silu(z.to(wide))
        return y.to(u.dtype), last

    @staticmethod
    def causal_conv(
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        activation: Literal["silu"] | None = None,
        reverse: bool = False,
        state: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """See `caduceus.interfaces.Backend.causal_conv`. The reverse walk reads the same taps from the other side."""
        check_conv(x, weight, bias, activation, state, mask)
        wide = _wide(x)
        length, before = x.shape[1], weight.shape[1] - 1
        with torch.autocast(x.device.type, enabled=False):
            inputs = x.to(wide)
            if mask is not None:
                inputs = inputs.masked_fill(~mask.unsqueeze(2), 0.0)
            if state is None:
                padded = F.pad(inputs, (0, 0, 0, before) if reverse else (0, 0, before, 0))
            else:
                past = state.to(wide).transpose(1, 2)
                padded = torch.cat([inputs, past.flip(1)] if reverse else [past, inputs], dim=1)
            taps = weight.to(wide).unbind(1)
            y = x.new_zeros((), dtype=wide) if bias is None else bias.to(wide)
            for k, tap in enumerate(reversed(taps) if reverse else taps):
                y = torch.addcmul(y, padded[:, k : k + length], tap)
            last = padded[:, :before].flip(1) if reverse else padded[:, length:]
            if activation == "silu":
                y = F.silu(y)
        return y.to(x.dtype), last.transpose(1, 2)

    @staticmethod
    def add_norm(
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        residual: Tensor | None = None,
        eps: float = 1e-5,
        kind: Literal["rms", "layer"] = "rms",
    ) -> tuple[Tensor, Tensor]:
        """See `caduceus.interfaces.Backend.add_norm`. The residual keeps the wider of the two dtypes."""
        check_norm(x, weight, bias, residual, kind)
        total = x if residual is None else x + residual
        wide = _wide(total)
        with torch.autocast(x.device.type, enabled=False):
            h = total.to(wide)
            if kind == "layer":
                h = h - h.mean(-1, keepdim=True)
            normed = h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.to(wide)
            if bias is not None:
                normed = normed + bias.to(wide)
        return normed.to(x.dtype), total


def _wide(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)
