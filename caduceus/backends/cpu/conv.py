"""The causal convolution as torch operators on the compiled kernels."""

from __future__ import annotations

from ctypes import byref
from typing import Any

import torch
from torch import Tensor

from caduceus.backends.cpu.library import Conv, ConvGradients, library, pointer, rows
from caduceus.backends.cpu.operators import differentiate, operator, refuse_derivative
from caduceus.backends.cpu.tensors import threads_for


def _forward(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    state: Tensor | None,
    mask: Tensor | None,
    silu: bool,
    reverse: bool,
    target: int,
) -> tuple[Tensor, Tensor]:
    """y and the last K-1 inputs."""
    y, last = _outputs(x, weight)
    call = _call(x, weight, bias, state, mask, silu, reverse)
    call.y, call.last = rows(y), pointer(last)
    library().caduceus_conv_forward(target, byref(call))
    return y, last


def _backward(
    dy: Tensor,
    dlast: Tensor | None,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    state: Tensor | None,
    mask: Tensor | None,
    silu: bool,
    reverse: bool,
    target: int,
) -> list[Tensor]:
    """Gradients of x, weight and, as far as these are present, bias, state."""
    call = ConvGradients(_call(x, weight, bias, state, mask, silu, reverse))
    batch, length, channels = x.shape
    call.chunks = max(1, min(-(-call.conv.threads // max(1, batch)), length // 64))
    dx = x.new_empty(x.shape)
    dweight = x.new_empty(batch * call.chunks, *weight.shape)
    dbias = None if bias is None else x.new_empty(batch * call.chunks, channels)
    dstate = None if state is None else x.new_empty(state.shape)
    call.dy, call.dx, call.dlast = rows(dy), rows(dx), pointer(dlast)
    call.dweight, call.dbias, call.dstate = pointer(dweight), pointer(dbias), pointer(dstate)
    library().caduceus_conv_backward(target, byref(call))
    optional = [None if dbias is None else dbias.sum(0), dstate]
    return [dx, dweight.sum(0), *(grad for grad in optional if grad is not None)]


def _call(
    x: Tensor, weight: Tensor, bias: Tensor | None, state: Tensor | None, mask: Tensor | None, silu: bool, reverse: bool
) -> Conv:
    batch, length, channels = x.shape
    return Conv(
        wide=x.dtype == torch.float64,
        threads=threads_for(x.numel() * weight.shape[1]),
        reverse=reverse,
        silu=silu,
        batch=batch,
        length=length,
        channels=channels,
        taps=weight.shape[1],
        x=rows(x),
        mask=rows(mask),
        **{name: pointer(v) for name, v in (("weight", weight), ("bias", bias), ("state", state))},
    )


def _outputs(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape), x.new_empty(x.shape[0], x.shape[2], weight.shape[1] - 1)


def _forward_shapes(x: Tensor, weight: Tensor, *others: Any) -> tuple[Tensor, Tensor]:
    return _outputs(x, weight)


def _backward_shapes(dy: Tensor, dlast: Tensor | None, *inputs: Any) -> list[Tensor]:
    return [dy.new_empty(x.shape) for x in inputs[:4] if x is not None]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    *tensors, ctx.silu, ctx.reverse, ctx.target = inputs
    ctx.save_for_backward(*tensors)
    ctx.set_materialize_grads(False)


def _differentiate(ctx: Any, dy: Tensor | None, dlast: Tensor | None) -> tuple[Tensor | None, ...]:
    x, weight, bias, state, mask = ctx.saved_tensors
    dx, dweight, *optional = conv_backward(
        torch.zeros_like(x) if dy is None else dy.contiguous(),
        None if dlast is None else dlast.contiguous(),
        *(x, weight, bias, state, mask, ctx.silu, ctx.reverse, ctx.target),
    )
    rest = iter(optional)
    dbias, dstate = (None if v is None else next(rest) for v in (bias, state))
    return dx, dweight, dbias, dstate, *(None,) * 4


conv_forward = operator("cpu_conv", _forward, _forward_shapes)
conv_backward = operator("cpu_conv_backward", _backward, _backward_shapes)
differentiate(conv_forward, _keep, _differentiate)
refuse_derivative(conv_backward, "causal_conv")
