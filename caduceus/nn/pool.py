"""Pooling over the valid positions of a strand, in its own order; a row without valid positions pools to 0."""

from __future__ import annotations

import torch
from torch import Tensor


def pool(x: Tensor, how: str, mask: Tensor | None) -> Tensor:
    """(B, L, C) to (B, C) by mean, max, first, last or centre."""
    if mask is None:
        mask = x.new_ones(x.shape[:2], dtype=torch.bool)
    if how == "centre":
        return pool(x, "mean", near_the_middle(mask))
    if not x.shape[1]:
        return x.new_zeros(x.shape[0], x.shape[2])
    valid = mask.unsqueeze(2)
    if how == "mean":
        return x.masked_fill(~valid, 0.0).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
    if how == "max":
        pooled = x.masked_fill(~valid, -torch.inf).max(1).values
    else:
        positions = torch.arange(x.shape[1], device=x.device)
        outside = x.shape[1] if how == "first" else -1
        where = positions.where(mask, outside)
        index = (where.amin(1) if how == "first" else where.amax(1)).clamp(0, x.shape[1] - 1)
        pooled = x.gather(1, index[:, None, None].expand(-1, 1, x.shape[2])).squeeze(1)
    return pooled.where(mask.any(1, keepdim=True), torch.zeros_like(pooled))


def near_the_middle(mask: Tensor, reach: int = 0) -> Tensor:
    """(B, L): the middle valid position, of an even number both, and ``reach`` valid ones more on each side.

    >>> near_the_middle(torch.tensor([[True, True, True, True, False], [True, False, True, False, True]])).int()
    tensor([[0, 1, 1, 0, 0],
            [0, 0, 1, 0, 0]], dtype=torch.int32)
    """
    rank, count = mask.cumsum(1) - 1, mask.sum(1, keepdim=True)
    return mask & (rank >= (count - 1) // 2 - reach) & (rank <= count // 2 + reach)
