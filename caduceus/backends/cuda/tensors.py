"""What the kernels of mamba-ssm and causal-conv1d ask of tensors: one GPU, three dtypes, memory laid out for them.

Some versions number the elements of a tensor in 32 bits, signed or not, and go wrong beyond without a word: a call
here never holds more than they can number.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

DEVICE = "cuda"
"""The device type that the kernels compute on."""
DTYPES = ("float32", "bfloat16", "float16")
LARGEST = 2**31 - 1
"""Elements of any one tensor in one call."""
VECTOR_BYTES = 16
"""The kernels read this much at once where the length allows it, and fault at an address that is no multiple."""

ALL = slice(None)
Results = tuple[Tensor, ...]


def expect_on_gpu(**tensors: Tensor | None) -> None:
    """Raise ValueError unless all are on one GPU: the kernels look at the first alone."""
    first = None
    for name, x in tensors.items():
        if x is None:
            continue
        if x.device.type != DEVICE:
            raise ValueError(
                f"backend 'cuda' computes on a GPU, and {name} is on the {x.device}; build the model with "
                "device='cuda' and give it tensors there, or use backend='torch'"
            )
        first = first or (name, x.device)
        if x.device != first[1]:
            raise ValueError(f"{name} is on {x.device}, expected {first[1]}, where {first[0]} is")


def working_dtype(**tensors: Tensor | None) -> torch.dtype:
    """The widest dtype among the tensors.

    Raises:
        ValueError: it is none of `DTYPES`.
    """
    found = None
    for name, x in tensors.items():
        if x is None:
            continue
        if str(x.dtype).removeprefix("torch.") not in DTYPES:
            raise ValueError(
                f"backend 'cuda' computes in {', '.join(DTYPES)}, and {name} is {x.dtype}; use backend='torch', which "
                "computes in float64 too"
            )
        found = x.dtype if found is None else torch.promote_types(found, x.dtype)
    assert found is not None
    return found


def aligned(x: Tensor) -> Tensor:
    """``x``, contiguous and where vector loads may begin; with a last stride of 1 even where that axis has one entry,
    since the kernels tell layouts apart by it."""
    if x.is_contiguous() and x.stride(-1) == 1 and starts_aligned(x):
        return x
    return x.clone(memory_format=torch.contiguous_format)


def starts_aligned(x: Tensor) -> bool:
    """Whether vector loads may begin at its first element; memory that torch allocates is aligned far beyond that."""
    return x.storage_offset() * x.element_size() % VECTOR_BYTES == 0


def align_gradient(y: Tensor) -> Tensor:
    """``y``; its gradient will be where vector loads can read it before it reaches the kernel that made ``y``."""
    if y.requires_grad:
        y.register_hook(lambda g: g if _rows_aligned(g) else aligned(g))
    return y


def _rows_aligned(x: Tensor) -> bool:
    strides = (stride for stride, size in zip(x.stride(), x.shape, strict=True) if size > 1 and stride > 1)
    return starts_aligned(x) and all(stride * x.element_size() % VECTOR_BYTES == 0 for stride in strides)


def in_pieces(
    call: Callable[[slice, slice], Results], batch: int, channels: int, per_channel: int, width: int = 8
) -> Results:
    """``call(rows, channels)``, whose results begin with these two axes, in as few calls as `LARGEST` allows.

    Args:
        per_channel: elements that one channel of one row takes in the largest tensor of the call.
        width: channels that must stay together.
    """
    rows = LARGEST // max(1, channels * per_channel)
    if rows >= batch:
        return call(ALL, ALL)
    some = channels if rows else max(1, LARGEST // (per_channel * width)) * width
    rows = max(1, rows)
    down = []
    for i in range(0, batch, rows):
        across = [call(slice(i, i + rows), slice(j, j + some)) for j in range(0, channels, some)]
        down.append(across[0] if len(across) == 1 else _joined(across, 1))
    return down[0] if len(down) == 1 else _joined(down, 0)


def piece(x: Tensor, *where: slice) -> Tensor:
    """``x[where]``, aligned; all of ``x`` is ``x`` itself, since a slice has a gradient full of zeros to add up."""
    return x if all(part == ALL for part in where) else aligned(x[where])


def _joined(parts: list[Results], axis: int) -> Results:
    return tuple(torch.cat(pieces, axis) for pieces in zip(*parts, strict=True))
