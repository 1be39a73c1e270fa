"""What the operators of this backend share: layout, dtype and device of tensors, and threads."""

from __future__ import annotations

import torch
from torch import Tensor

PARALLEL_WORK = 50_000
"""Elementary steps (a state update, a tap, a channel) below which starting threads takes longer than the work."""


def threads_for(work: int) -> int:
    return torch.get_num_threads() if work >= PARALLEL_WORK else 1


def prepare(x: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """``x`` in ``dtype``, its last axis contiguous: slices along channels and flipped batches are taken as they are.

    Raises:
        ValueError: it is not on the CPU.
    """
    if x is None:
        return None
    if x.device.type != "cpu":
        raise ValueError(f"backend 'cpu' computes on the CPU and received a tensor on {x.device}; use backend='torch'")
    x = x.to(dtype)
    return x if x.stride(-1) == 1 or x.shape[-1] <= 1 else x.contiguous()


def prepare_flat(x: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """``x`` in ``dtype`` and contiguous."""
    ready = prepare(x, dtype)
    return None if ready is None else ready.contiguous()


def prepare_mask(mask: Tensor | None) -> Tensor | None:
    return None if mask is None else prepare(mask, torch.bool)


def wide_dtype(x: Tensor) -> torch.dtype:
    """What the kernels compute in: float32 for float32 and narrower, float64 for float64."""
    return torch.promote_types(x.dtype, torch.float32)


def needs_gradient(*tensors: Tensor | None) -> bool:
    return torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in tensors)
