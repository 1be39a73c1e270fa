"""The causal convolution by `causal_conv1d_fn`, with what not every version of that function has.

It walks one way. Backwards, y_t = sum_k w_k x_{t+K-1-k} is the same sum with the taps in the other order, read K - 1
positions further on: one padded copy of x, and none of y.

A state is K - 1 inputs in front, a mask is zeros in x, and the state returned is a slice: none of them needs the
function, so every version will do, and all of them have a gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from caduceus.backends.cuda.tensors import ALL, align_gradient, aligned, in_pieces, piece, starts_aligned

CHANNELS_TOGETHER = 8
"""Where the channels lie side by side in memory, the kernel reads so many at once."""
LONGEST = 64 * 65535
"""Positions where the channels lie side by side: the launch has one block for 64, and 65535 blocks at most."""


def convolve(
    function: Callable[..., Any],
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    activation: str | None,
    reverse: bool,
    state: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """y (B, L, E) and the last K - 1 inputs (B, E, K - 1) in float32, of x (B, L, E) in one of the kernel's dtypes."""
    before = weight.shape[1] - 1
    past = x.new_zeros(x.shape[0], before, x.shape[2]) if state is None else state.to(x.dtype).transpose(1, 2)
    last = torch.cat([past, x[:, :before].flip(1) if reverse else x[:, -before:] if before else x[:, :0]], 1)
    if before and (reverse or state is not None):
        x = torch.cat([x, past.flip(1)] if reverse else [past, x], 1)
        weight = weight.flip(1) if reverse else weight
    else:
        before = 0
    lying = x.transpose(1, 2) if side_by_side(x) else aligned(x.transpose(1, 2))
    y = call(function, lying, weight, bias, activation).transpose(1, 2)
    return y[:, before:] if before else y, last[:, last.shape[1] - weight.shape[1] + 1 :].transpose(1, 2).float()


def call(
    function: Callable[..., Any], x: Tensor, weight: Tensor, bias: Tensor | None, activation: str | None
) -> Tensor:
    """y (B, E, L) of x (B, E, L), laid out for the kernel; in as many calls as index widths ask for."""
    batch, channels, length = x.shape
    # The function has no single tap, and some versions cannot differentiate a bias of None.
    taps = weight.float() if weight.shape[1] > 1 else F.pad(weight.float(), (1, 0))
    shift = taps.new_zeros(channels) if bias is None else aligned(bias.float())

    def some_of(rows: slice, some: slice) -> tuple[Tensor]:
        part = x if rows == some == ALL else x[rows, some]
        y = function(x=part, weight=piece(taps, some), bias=piece(shift, some), activation=activation)
        return (align_gradient(y),)

    (y,) = in_pieces(some_of, batch, channels, length, CHANNELS_TOGETHER)
    return y


def side_by_side(x: Tensor) -> bool:
    """Whether the kernel reads x (B, L, E) as it lies, channels side by side; if not, it wants a copy, L fastest."""
    _, length, channels = x.shape
    together = all(n % CHANNELS_TOGETHER == 0 for n in (channels, x.stride(0), x.stride(1)))
    return x.stride(2) == 1 and x.stride(1) > 1 and together and starts_aligned(x) and length <= LONGEST
