"""Add and norm as torch operators on the compiled kernels."""

from __future__ import annotations

from ctypes import byref
from typing import Any

import torch
from torch import Tensor

from caduceus.backends.cpu.library import Norm, NormGradients, library, pointer
from caduceus.backends.cpu.operators import differentiate, operator, refuse_derivative
from caduceus.backends.cpu.tensors import threads_for


def _forward(
    x: Tensor, residual: Tensor | None, weight: Tensor, bias: Tensor | None, eps: float, centred: bool, target: int
) -> tuple[Tensor, Tensor]:
    """The norm and x + residual (nothing without a residual)."""
    normed, total = _outputs(x, residual)
    call = _call(x, weight, eps, centred)
    call.residual, call.bias, call.normed = pointer(residual), pointer(bias), pointer(normed)
    if residual is not None:
        call.total = pointer(total)
    library().caduceus_norm_forward(target, byref(call))
    return normed, total


def _backward(
    dnormed: Tensor, dtotal: Tensor | None, total: Tensor, weight: Tensor, eps: float, centred: bool, target: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of x (and the residual), weight and bias."""
    call = NormGradients(_call(total, weight, eps, centred))
    call.parts = max(1, min(call.norm.threads, call.norm.rows // 64))
    dx = total.new_empty(total.shape)
    dweight, dbias = (total.new_empty(call.parts, *weight.shape) for _ in range(2))
    call.dnormed, call.dtotal, call.dx = pointer(dnormed), pointer(dtotal), pointer(dx)
    call.dweight, call.dbias = pointer(dweight), pointer(dbias)
    library().caduceus_norm_backward(target, byref(call))
    return dx, dweight.sum(0), dbias.sum(0)


def _call(x: Tensor, weight: Tensor, eps: float, centred: bool) -> Norm:
    channels = weight.shape[0]
    return Norm(
        wide=x.dtype == torch.float64,
        threads=threads_for(x.numel()),
        centred=centred,
        rows=x.numel() // max(1, channels),
        channels=channels,
        eps=eps,
        x=pointer(x),
        weight=pointer(weight),
    )


def _outputs(x: Tensor, residual: Tensor | None) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape), x.new_empty(0 if residual is None else x.shape)


def _forward_shapes(x: Tensor, residual: Tensor | None, *others: Any) -> tuple[Tensor, Tensor]:
    return _outputs(x, residual)


def _backward_shapes(
    dnormed: Tensor, dtotal: Tensor | None, total: Tensor, weight: Tensor, *others: Any
) -> tuple[Tensor, ...]:
    return total.new_empty(total.shape), weight.new_empty(weight.shape), weight.new_empty(weight.shape)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    x, residual, weight, bias, ctx.eps, ctx.centred, ctx.target = inputs
    ctx.save_for_backward(x if residual is None else output[1], weight)
    ctx.has_residual, ctx.has_bias = residual is not None, bias is not None
    ctx.set_materialize_grads(False)


def _differentiate(ctx: Any, dnormed: Tensor | None, dtotal: Tensor | None) -> tuple[Tensor | None, ...]:
    total, weight = ctx.saved_tensors
    dx, dweight, dbias = norm_backward(
        torch.zeros_like(total) if dnormed is None else dnormed.contiguous(),
        None if dtotal is None or not ctx.has_residual else dtotal.contiguous(),
        *(total, weight, ctx.eps, ctx.centred, ctx.target),
    )
    # One tensor for two inputs: autograd adds to it out of place.
    return dx, dx if ctx.has_residual else None, dweight, dbias if ctx.has_bias else None, None, None, None


norm_forward = operator("cpu_norm", _forward, _forward_shapes)
norm_backward = operator("cpu_norm_backward", _backward, _backward_shapes)
differentiate(norm_forward, _keep, _differentiate)
refuse_derivative(norm_backward, "add_norm")
