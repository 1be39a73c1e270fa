"""Add and norm in one pass, by the Triton kernel that mamba-ssm brings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from caduceus.backends.cuda.tensors import aligned, in_pieces, piece


def add_norm(
    function: Callable[..., Any],
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    residual: Tensor | None,
    eps: float,
    kind: str,
) -> tuple[Tensor, Tensor]:
    """The norm of x + residual in the dtype of x, and x + residual in the wider of the two dtypes."""
    channels = x.shape[-1]
    stream = x.dtype if residual is None else torch.promote_types(x.dtype, residual.dtype)
    flat, weight = aligned(x.reshape(-1, channels)), aligned(weight)
    bias = None if bias is None else aligned(bias)
    kept = None if residual is None else aligned(residual.to(stream).reshape(-1, channels))

    def call(rows: slice, _: slice) -> tuple[Tensor, Tensor]:
        return function(
            piece(flat, rows),
            weight,
            bias,
            residual=None if kept is None else piece(kept, rows),
            eps=eps,
            prenorm=True,
            is_rms_norm=kind == "rms",
        )

    normed, total = in_pieces(call, len(flat), 1, channels)
    return normed.reshape(x.shape), x if residual is None else total.reshape(x.shape)
