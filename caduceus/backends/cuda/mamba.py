"""A whole Mamba, or two that share their projections, without a copy but the flips of a direction that walks back.

    x, z = W_in h                            one product for all directions
    y    = scan(silu(conv(x))) silu(z)       of each direction; to walk back: flip x and z, then flip y
    out  = W_out (sum of y)                  one product

Inside, tensors are (channels, B L), so every product gives the layout that the kernels read, (B, channels, L) with L
fastest: the three kernels by themselves take and give (B, L, channels), and copy u and dt for each scan. The gate is
left to the scan, which waits for its exponentials anyway.

In the backward the gradients of x and z, summed over the directions, are written where the product reads them: autograd
would sum them first and then put them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from caduceus.backends.cuda import conv, scan
from caduceus.backends.cuda.functions import Functions
from caduceus.interfaces import MambaDirection


def mamba(
    functions: Functions,
    h: Tensor,
    in_proj: Tensor,
    in_bias: Tensor | None,
    out_proj: Tensor,
    out_bias: Tensor | None,
    directions: Sequence[MambaDirection],
    mask: Tensor | None,
) -> Tensor:
    """See `caduceus.interfaces.FusedMamba`; under autocast the products are in its dtype, and so is what they give."""
    batch, length, channels = h.shape
    masked = None if mask is None else ~mask.unsqueeze(1)
    if masked is not None:
        h = h.masked_fill(masked.transpose(1, 2), 0.0)
    xz = torch.mm(in_proj, h.reshape(-1, channels).t())
    if in_bias is not None:
        xz = xz + in_bias.to(xz.dtype).unsqueeze(1)
    ways = _ways(xz, batch, {direction.reverse for direction in directions})
    first, *others = (_walk(functions, *ways[direction.reverse], direction, masked) for direction in directions)
    out = torch.mm(_columns(sum(others, first)).t(), out_proj.t()).view(batch, length, -1)
    if out_bias is not None:
        out = out + len(directions) * out_bias
    return out if mask is None else out.masked_fill(~mask.unsqueeze(2), 0.0)


def _ways(xz: Tensor, batch: int, reverse: set[bool]) -> dict[bool, tuple[Tensor, Tensor]]:
    """x and z (B, E, L) in walking order, for each of ``reverse``."""
    if reverse == {False, True}:
        x, z, x_back, z_back = _BothWays.apply(xz, batch)
        return {False: (x, z), True: (x_back, z_back)}
    x, z = _parts(xz, batch)
    return {True: (x.flip(2), z.flip(2))} if True in reverse else {False: (x, z)}


def _walk(functions: Functions, x: Tensor, z: Tensor, direction: MambaDirection, masked: Tensor | None) -> Tensor:
    """One direction, from x and z (B, E, L) in walking order to y (B, E, L) in that of h; ``masked`` (B, 1, L)."""
    if masked is not None:
        masked = masked.flip(2) if direction.reverse else masked
        x = x.masked_fill(masked, 0.0)
    u = conv.call(functions.conv, x, direction.conv_weight, direction.conv_bias, "silu")
    states, rank = direction.A.shape[1], direction.dt_proj.shape[1]
    low, B, C = torch.mm(direction.x_proj, _columns(u)).split([rank, states, states])
    dt = _rows(torch.mm(direction.dt_proj, low), len(x))
    if masked is not None:
        dt = dt.masked_fill(masked, scan.at_rest(dt, softplus=True))
    A, D, bias = (w.float() for w in (direction.A, direction.D, direction.dt_bias))
    B, C = (_rows(v, len(x)) for v in (B, C))
    y, _ = scan.call(functions.scan, scan.Walk(u, dt, A, B, C, D, z, bias, softplus=True))
    return y.flip(2) if direction.reverse else y


class _BothWays(torch.autograd.Function):
    """x and z of xz, and both flipped."""

    @staticmethod
    def forward(ctx: Any, xz: Tensor, batch: int) -> tuple[Tensor, ...]:
        x, z = _parts(xz, batch)
        return x, z, x.flip(2), z.flip(2)

    @staticmethod
    def backward(ctx: Any, dx: Tensor, dz: Tensor, dx_back: Tensor, dz_back: Tensor) -> tuple[Tensor, None]:
        batch, channels, length = dx.shape
        whole = dx.new_empty(2 * channels, batch * length)
        there, back = (dx, dz), (dx_back, dz_back)
        for part, one, other in zip(_parts(whole, batch), there, back, strict=True):
            torch.add(one, other.flip(2), out=part)
        return whole, None


def _parts(xz: Tensor, batch: int) -> tuple[Tensor, Tensor]:
    """x and z, each (B, E, L), seen in xz (2E, B L)."""
    x, z = xz.chunk(2)
    return _rows(x, batch), _rows(z, batch)


def _rows(columns: Tensor, batch: int) -> Tensor:
    """(K, B L) seen as (B, K, L)."""
    return columns.view(len(columns), batch, -1).transpose(0, 1)


def _columns(rows: Tensor) -> Tensor:
    """(B, K, L) as (K, B L), in place if that is how it lies."""
    return rows.transpose(0, 1).reshape(rows.shape[1], -1)
