"""The three kernels of the compiled backend; `caduceus.interfaces` has their formulas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from caduceus.backends.cpu.conv import conv_forward
from caduceus.backends.cpu.library import choose_target, library
from caduceus.backends.cpu.mamba import mamba_forward
from caduceus.backends.cpu.norm import norm_forward
from caduceus.backends.cpu.scan import scan_forward
from caduceus.backends.cpu.tensors import needs_gradient, prepare, prepare_flat, prepare_mask, wide_dtype
from caduceus.interfaces import FusedMamba, MambaDirection
from caduceus.shapes import check_conv, check_mamba, check_norm, check_scan


class CpuBackend:
    """Compiled kernels on the CPU, for the instruction set ``isa`` or the fastest that the processor has.

    A row's values do not depend on its place in the batch, on the batch's size or on the number of threads. Narrower
    dtypes are computed in float32 and returned in their own, as in the portable backend; differentiable once.

    Raises:
        RuntimeError: "can't allocate memory", of a kernel or of its gradients, with what was computed and the bytes.
    """

    name = "cpu"
    dtypes: tuple[str, ...] = ("float32", "float64")
    compiles = True

    def __init__(self, isa: str | None = None) -> None:
        self.isa = choose_target(isa)

    def selective_scan(
        self,
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
        """See `caduceus.interfaces.Scan`. For the backward it keeps its inputs and a state of every 32nd step."""
        check_scan(u, dt, A, B, C, D, z, dt_bias, state, mask)
        wide = wide_dtype(u)
        arrays: Any = [prepare(x, wide) for x in (u, dt)]
        arrays.append(prepare_flat(A, wide))
        arrays += [prepare(x, wide) for x in (B, C)]
        D, dt_bias, state = (prepare_flat(x, wide) for x in (D, dt_bias, state))
        arrays += [D, prepare(z, wide), dt_bias, state]
        y, last, _ = scan_forward(
            *arrays, prepare_mask(mask), dt_softplus, reverse, needs_gradient(*arrays), self.isa.number
        )
        return y.to(u.dtype), last

    def causal_conv(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        activation: Literal["silu"] | None = None,
        reverse: bool = False,
        state: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """See `caduceus.interfaces.Backend.causal_conv`."""
        check_conv(x, weight, bias, activation, state, mask)
        wide = wide_dtype(x)
        flat = [prepare_flat(v, wide) for v in (weight, bias, state)]
        y, last = conv_forward(
            prepare(x, wide), *flat, prepare_mask(mask), activation == "silu", reverse, self.isa.number
        )
        return y.to(x.dtype), last

    def add_norm(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        residual: Tensor | None = None,
        eps: float = 1e-5,
        kind: Literal["rms", "layer"] = "rms",
    ) -> tuple[Tensor, Tensor]:
        """See `caduceus.interfaces.Backend.add_norm`. The residual keeps the wider of the two dtypes."""
        check_norm(x, weight, bias, residual, kind)
        stream = x.dtype if residual is None else torch.promote_types(x.dtype, residual.dtype)
        wide = torch.promote_types(stream, torch.float32)
        h, r, w, b = (prepare_flat(v, wide) for v in (x, residual, weight, bias))
        normed, total = norm_forward(h, r, w, b, eps, kind == "layer", self.isa.number)
        return normed.to(x.dtype), x if residual is None else total.to(stream)

    def fused_mamba(self, *, d_state: int, d_conv: int) -> FusedMamba | None:
        """See `caduceus.interfaces.Fuses`: any d_state, and as many taps as a tile of positions can reach back over."""
        return self.mamba if d_conv <= library().caduceus_most_taps() else None

    def mamba(
        self,
        h: Tensor,
        in_proj: Tensor,
        in_bias: Tensor | None,
        out_proj: Tensor,
        out_bias: Tensor | None,
        directions: Sequence[MambaDirection],
        mask: Tensor | None = None,
    ) -> Tensor:
        """See `caduceus.interfaces.FusedMamba`.

        Without gradients it needs 2 E numbers a position beside the output, whatever the number of layers, and each
        thread that calls it keeps up to a gigabyte of that for its next call; with gradients it keeps
        3 E + directions (R + 2 N + N E / 32).
        """
        check_mamba(h, in_proj, in_bias, out_proj, out_bias, directions, mask)
        wide = wide_dtype(h)
        x = prepare(h if mask is None else h.masked_fill(~mask.unsqueeze(2), 0.0), wide)
        projections = [prepare_flat(w, wide) for w in (in_proj, in_bias, out_proj, out_bias)]
        inner = [_weight(w, d, wide) for d in directions for w in d[:-1]]
        out, *_ = mamba_forward(
            x,
            prepare_mask(mask),
            *projections,
            inner,
            [d.reverse for d in directions],
            needs_gradient(x, *projections, *inner),
            self.isa.number,
        )
        out = out.to(h.dtype)
        return out if mask is None else out.masked_fill(~mask.unsqueeze(2), 0.0)


def _weight(weight: Tensor | None, direction: MambaDirection, dtype: torch.dtype) -> Tensor:
    """``weight`` as the kernel takes it; a convolution without a bias has one of zeros."""
    ready = prepare_flat(weight, dtype)
    return direction.D.new_zeros(direction.D.shape, dtype=dtype) if ready is None else ready
