"""A whole Mamba, or two that share their projections, as one torch operator on the compiled kernels."""

from __future__ import annotations

from ctypes import Structure, byref
from typing import Any

import torch
from torch import Tensor

from caduceus.backends.cpu.library import INNER, Mamba, MambaGradients, library, pointer, rows
from caduceus.backends.cpu.operators import differentiate, operator, refuse_derivative
from caduceus.backends.cpu.tensors import threads_for


def _forward(
    h: Tensor,
    mask: Tensor | None,
    in_proj: Tensor,
    in_bias: Tensor | None,
    out_proj: Tensor,
    out_bias: Tensor | None,
    inner: list[Tensor],
    reverse: list[bool],
    differentiable: bool,
    target: int,
) -> list[Tensor]:
    """The output and, if ``differentiable``, what the backward starts from: x, z, y (`csrc/abi.h`), and of each
    direction the selection and the states before each tile.

    Args:
        inner: the weights of each direction, one direction after the other, in the order of `library.INNER`.
        reverse: of each direction.
    """
    outputs = _outputs(h, inner, len(reverse), differentiable)
    call = _call(h, mask, in_proj, in_bias, out_proj, out_bias, inner, reverse)
    call.out = rows(outputs[0])
    _keep_in(call, outputs[1:])
    library().caduceus_mamba_forward(target, byref(call))
    return outputs


def _backward(
    dout: Tensor,
    h: Tensor,
    mask: Tensor | None,
    in_proj: Tensor,
    in_bias: Tensor | None,
    out_proj: Tensor,
    out_bias: Tensor | None,
    inner: list[Tensor],
    kept: list[Tensor],
    reverse: list[bool],
    target: int,
) -> list[Tensor]:
    """Gradients of h, in_proj, in_bias, out_proj and the inner weights; that of out_bias is the caller's."""
    call = MambaGradients(_call(h, mask, in_proj, in_bias, out_proj, out_bias, inner, reverse))
    _keep_in(call.mamba, kept)
    channels, outer = in_proj.shape
    dh, d_in, d_out = h.new_empty(h.shape), h.new_empty(outer + 1, channels), h.new_empty(out_proj.shape)
    call.dout, call.dh, call.in_proj, call.out_proj = rows(dout), rows(dh), pointer(d_in), pointer(d_out)
    found = [h.new_empty(w.shape[::-1] if name in _TRANSPOSED else w.shape) for name, w in _named(inner)]
    for i in range(len(reverse)):
        _point(call.direction[i], _of_direction(found, i))
    library().caduceus_mamba_backward(target, byref(call))
    of_inner = [
        d.t().contiguous() if name in _TRANSPOSED else d for (name, _), d in zip(_named(inner), found, strict=True)
    ]
    return [dh, d_in[:outer].t().contiguous(), d_in[outer].clone(), d_out, *of_inner]


_TRANSPOSED = ("dt_proj", "A")
"""Weights whose gradients the library sums up the other way round."""


def _named(inner: list[Tensor]) -> list[tuple[str, Tensor]]:
    return [(INNER[i % len(INNER)], weight) for i, weight in enumerate(inner)]


def _of_direction(inner: list[Tensor], i: int) -> list[Tensor]:
    return inner[len(INNER) * i : len(INNER) * (i + 1)]


def _point(struct: Structure, tensors: list[Tensor]) -> None:
    """Set the fields of `library.INNER`, of weights or of gradients."""
    for name, tensor in zip(INNER, tensors, strict=True):
        setattr(struct, name, pointer(tensor))


def _call(
    h: Tensor,
    mask: Tensor | None,
    in_proj: Tensor,
    in_bias: Tensor | None,
    out_proj: Tensor,
    out_bias: Tensor | None,
    inner: list[Tensor],
    reverse: list[bool],
) -> Mamba:
    batch, length, outer = h.shape
    channels, states = inner[INNER.index("A")].shape
    call = Mamba(
        wide=h.dtype == torch.float64,
        threads=threads_for(batch * length * channels * states),
        directions=len(reverse),
        batch=batch,
        length=length,
        outer=outer,
        channels=channels,
        states=states,
        taps=inner[INNER.index("conv_weight")].shape[1],
        rank=inner[INNER.index("dt_proj")].shape[1],
        h=rows(h),
        mask=rows(mask),
        **{
            name: pointer(x)
            for name, x in (("in_proj", in_proj), ("in_bias", in_bias), ("out_proj", out_proj), ("out_bias", out_bias))
        },
    )
    for i, backwards in enumerate(reverse):
        call.direction[i].reverse = backwards
        _point(call.direction[i], _of_direction(inner, i))
    return call


def _keep_in(call: Mamba, kept: list[Tensor]) -> None:
    """Where the forward leaves, and the backward finds, what is kept; nothing if there is none."""
    if not kept:
        return
    call.x, call.z, call.y = (rows(x) for x in kept[:3])
    for i in range(call.directions):
        call.direction[i].selection, call.direction[i].checkpoints = (rows(x) for x in kept[3 + 2 * i : 5 + 2 * i])


def _outputs(h: Tensor, inner: list[Tensor], directions: int, differentiable: bool) -> list[Tensor]:
    batch, length, _ = h.shape
    outputs = [h.new_empty(h.shape)]
    if not differentiable:
        return outputs
    channels, states = inner[INNER.index("A")].shape
    outputs += [h.new_empty(batch, length, channels) for _ in range(3)]
    tile = library().caduceus_scan_tile()
    for _ in range(directions):
        outputs.append(h.new_empty(batch, length, inner[INNER.index("x_proj")].shape[0]))
        outputs.append(h.new_empty(batch, (length + tile - 1) // tile, states, channels))
    return outputs


def _forward_shapes(
    h: Tensor,
    mask: Tensor | None,
    in_proj: Tensor,
    in_bias: Tensor | None,
    out_proj: Tensor,
    out_bias: Tensor | None,
    inner: list[Tensor],
    reverse: list[bool],
    differentiable: bool,
    target: int,
) -> list[Tensor]:
    return _outputs(h, inner, len(reverse), differentiable)


def _backward_shapes(
    dout: Tensor, h: Tensor, mask: Tensor | None, in_proj: Tensor, in_bias: Any, out_proj: Tensor, *others: Any
) -> Any:
    shapes = [h.shape, in_proj.shape, in_proj.shape[:1], out_proj.shape, *(w.shape for w in others[1])]
    return [h.new_empty(shape) for shape in shapes]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    h, mask, in_proj, in_bias, out_proj, out_bias, inner, ctx.reverse, _, ctx.target = inputs
    ctx.count = len(inner)
    ctx.save_for_backward(h, mask, in_proj, in_bias, out_proj, out_bias, *inner, *output[1:])
    ctx.set_materialize_grads(False)


def _differentiate(ctx: Any, grads: list[Tensor | None]) -> tuple[Any, ...]:
    h, mask, in_proj, in_bias, out_proj, out_bias, *others = ctx.saved_tensors
    inner, kept = others[: ctx.count], others[ctx.count :]
    dout = torch.zeros_like(h) if grads[0] is None else grads[0].contiguous()
    dh, d_in, d_in_bias, d_out, *d_inner = mamba_backward(
        dout, h, mask, in_proj, in_bias, out_proj, out_bias, inner, kept, ctx.reverse, ctx.target
    )
    d_out_bias = None if out_bias is None else dout.sum((0, 1)) * len(ctx.reverse)
    return dh, None, d_in, None if in_bias is None else d_in_bias, d_out, d_out_bias, d_inner, None, None, None


mamba_forward = operator("cpu_mamba", _forward, _forward_shapes)
mamba_backward = operator("cpu_mamba_backward", _backward, _backward_shapes)
differentiate(mamba_forward, _keep, _differentiate)
refuse_derivative(mamba_backward, "the Mamba mixers")
