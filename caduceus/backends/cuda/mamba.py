"""A whole Mamba, or two that share their projections, without a copy but the flips of a direction that walks back.

    x, z = W_in h                            one product for all directions
    y    = scan(silu(conv(x))) silu(z)       of each direction; to walk back: flip x and z, then flip y
    out  = W_out (sum of y)                  one product

Inside, tensors are (channels, B L), so every product gives the layout that the kernels read, (B, channels, L) with L
fastest: the three kernels by themselves take and give (B, L, channels), and copy u and dt for each scan. The gate is
left to the scan, which waits for its exponentials anyway.

x and z are parted once, before they are flipped: in the backward, each direction's gradient of a part of a tensor would
be a copy of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

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
    x, z = (_rows(v, batch) for v in xz.chunk(2))
    first, *others = (_walk(functions, x, z, direction, masked) for direction in directions)
    out = torch.mm(_columns(sum(others, first)).t(), out_proj.t()).view(batch, length, -1)
    if out_bias is not None:
        out = out + len(directions) * out_bias
    return out if mask is None else out.masked_fill(~mask.unsqueeze(2), 0.0)


def _walk(functions: Functions, x: Tensor, z: Tensor, direction: MambaDirection, masked: Tensor | None) -> Tensor:
    """One direction, from x and z (B, E, L) to y (B, E, L); ``masked`` (B, 1, L)."""
    if direction.reverse:
        x, z, masked = x.flip(2), z.flip(2), None if masked is None else masked.flip(2)
    if masked is not None:
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


def _rows(columns: Tensor, batch: int) -> Tensor:
    """(K, B L) seen as (B, K, L)."""
    return columns.view(len(columns), batch, -1).transpose(0, 1)


def _columns(rows: Tensor) -> Tensor:
    """(B, K, L) as (K, B L), in place if that is how it lies."""
    return rows.transpose(0, 1).reshape(rows.shape[1], -1)
