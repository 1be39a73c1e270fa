"""The selective scan as torch operators on the compiled kernels: values, first derivatives, shapes for tracing."""

from __future__ import annotations

from ctypes import byref
from typing import Any

import torch
from torch import Tensor

from caduceus.backends.cpu.library import Scan, ScanGradients, library, pointer, rows
from caduceus.backends.cpu.operators import differentiate, operator, refuse_derivative
from caduceus.backends.cpu.tensors import threads_for


def _forward(
    u: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    z: Tensor | None,
    dt_bias: Tensor | None,
    state: Tensor | None,
    mask: Tensor | None,
    softplus: bool,
    reverse: bool,
    differentiable: bool,
    target: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """y, the last state, and the states that the backward starts from (none unless ``differentiable``)."""
    y, last, checkpoints = _outputs(u, A, differentiable)
    call = _call(u, dt, A, B, C, D, z, dt_bias, mask, softplus, reverse)
    start = _by_states(state)
    call.y, call.state, call.last = rows(y), pointer(start), pointer(last)
    if differentiable:
        call.checkpoints = rows(checkpoints)
    library().caduceus_scan_forward(target, byref(call))
    return y, last, checkpoints


def _backward(
    dy: Tensor,
    dlast: Tensor | None,
    u: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    z: Tensor | None,
    dt_bias: Tensor | None,
    mask: Tensor | None,
    checkpoints: Tensor,
    softplus: bool,
    reverse: bool,
    target: int,
) -> list[Tensor]:
    """Gradients of u, dt, A, B, C, state and, as far as these are present, D, z, dt_bias."""
    call = ScanGradients(_call(u, dt, A, B, C, D, z, dt_bias, mask, softplus, reverse))
    call.scan.checkpoints = rows(checkpoints)
    groups = library().caduceus_scan_groups(target, byref(call.scan))
    batch, _, channels = u.shape
    du, ddt = (u.new_empty(u.shape) for _ in range(2))
    # Sums over channels or over the batch come in parts, one of every task.
    dA, dstate = (_states(u, A) for _ in range(2))
    dB, dC = (u.new_empty(groups, *B.shape) for _ in range(2))
    dD, dbias = (u.new_empty(batch, channels) if x is not None else None for x in (D, dt_bias))
    dz = None if z is None else u.new_empty(u.shape)
    call.dy, call.du, call.ddt, call.dz = rows(dy), rows(du), rows(ddt), rows(dz)
    call.dB, call.dC, call.dA, call.dD = pointer(dB), pointer(dC), pointer(dA), pointer(dD)
    dstart = _by_states(dlast)
    call.ddt_bias, call.dlast, call.dstate = pointer(dbias), pointer(dstart), pointer(dstate)
    library().caduceus_scan_backward(target, byref(call))
    found = [du, ddt, dA.transpose(1, 2).sum(0).t(), dB.sum(0), dC.sum(0), dstate]
    return found + [x if x is dz else x.sum(0) for x in (dD, dz, dbias) if x is not None]


def _call(
    u: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    z: Tensor | None,
    dt_bias: Tensor | None,
    mask: Tensor | None,
    softplus: bool,
    reverse: bool,
) -> Scan:
    batch, length, channels = u.shape
    return Scan(
        wide=u.dtype == torch.float64,
        threads=threads_for(u.numel() * A.shape[1]),
        reverse=reverse,
        softplus=softplus,
        batch=batch,
        length=length,
        channels=channels,
        states=A.shape[1],
        **{name: rows(x) for name, x in (("u", u), ("dt", dt), ("B", B), ("C", C), ("z", z), ("mask", mask))},
        **{name: pointer(x) for name, x in (("A", A), ("D", D), ("dt_bias", dt_bias))},
    )


def _outputs(u: Tensor, A: Tensor, differentiable: bool) -> tuple[Tensor, Tensor, Tensor]:
    tile = library().caduceus_scan_tile()
    tiles = (u.shape[1] + tile - 1) // tile if differentiable else 0
    y, last = u.new_empty(u.shape), _states(u, A)
    return y, last, u.new_empty(u.shape[0], tiles, A.shape[1], A.shape[0])


def _states(u: Tensor, A: Tensor) -> Tensor:
    """(B, E, N) as the library lays it out: (B, N, E)."""
    return u.new_empty(u.shape[0], A.shape[1], A.shape[0]).transpose(1, 2)


def _by_states(state: Tensor | None) -> Tensor | None:
    """(B, E, N) as the library lays it out."""
    return None if state is None else state.transpose(1, 2).contiguous()


def _forward_shapes(u: Tensor, dt: Tensor, A: Tensor, *others: Any) -> tuple[Tensor, Tensor, Tensor]:
    return _outputs(u, A, differentiable=others[-2])


def _backward_shapes(
    dy: Tensor,
    dlast: Tensor | None,
    u: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    z: Tensor | None,
    dt_bias: Tensor | None,
    *others: Any,
) -> list[Tensor]:
    dA = _states(u[:1], A)[0]
    found = [u.new_empty(u.shape), u.new_empty(dt.shape), dA, u.new_empty(B.shape), u.new_empty(C.shape), _states(u, A)]
    return found + [u.new_empty(x.shape) for x in (D, z, dt_bias) if x is not None]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    u, dt, A, B, C, D, z, dt_bias, _, mask, ctx.softplus, ctx.reverse, _, ctx.target = inputs
    ctx.save_for_backward(u, dt, A, B, C, D, z, dt_bias, mask, output[2])
    ctx.set_materialize_grads(False)


def _differentiate(ctx: Any, dy: Tensor | None, dlast: Tensor | None, _: None) -> tuple[Tensor | None, ...]:
    u, dt, A, B, C, D, z, dt_bias, mask, checkpoints = ctx.saved_tensors
    dy = torch.zeros_like(u) if dy is None else dy
    du, ddt, dA, dB, dC, dstate, *optional = scan_backward(
        dy.contiguous(),
        dlast,
        *(u, dt, A, B, C, D, z, dt_bias, mask, checkpoints),
        *(ctx.softplus, ctx.reverse, ctx.target),
    )
    rest = iter(optional)
    dD, dz, dbias = (None if x is None else next(rest) for x in (D, z, dt_bias))
    return du, ddt, dA, dB, dC, dD, dz, dbias, dstate if ctx.needs_input_grad[8] else None, *(None,) * 5


scan_forward = operator("cpu_scan", _forward, _forward_shapes)
scan_backward = operator("cpu_scan_backward", _backward, _backward_shapes)
differentiate(scan_forward, _keep, _differentiate)
refuse_derivative(scan_backward, "selective_scan")
