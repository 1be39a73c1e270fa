"""The selective scan by `selective_scan_fn` of mamba-ssm, with what that function lacks.

Inside, tensors lie as the kernel reads them: u, dt, z, y (B, E, L), B and C (B, N, L), L fastest, in walking order.

It lacks masks: at a masked position the step is set to the lowest number there is, whose softplus is 0 exactly.

It lacks a state to begin with: N steps are put in front, which bring it in entry by entry,

    delta = 2^-64, u = 2^64 s_0[:, n], B = e_n        so exp(delta A) = 1 and delta u B = s_0[:, n] e_n, exactly,

where the extra term C_t exp(A sum delta) s_0 would take an array of (B, L, E, N). They are computed in float32, with
the softplus outside.

It returns the last state without a gradient. That is computed on demand by a second scan, with N steps behind it that
read the state out: delta = 0, u = 0, C = e_n, so y_n = s_L[:, n].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from caduceus.backends.cuda.tensors import align_gradient, aligned, in_pieces, piece, working_dtype

ENTRY = 2.0**-64
"""A step so short that exp(delta A) is 1 to the last bit, and a power of 2, so that what it scales loses nothing."""
CHUNK = 2048
"""Steps per state that the kernel stores, of two numbers each."""


class Walk(NamedTuple):
    """Arguments of the kernel, in its layout and in walking order. ``softplus``: still to be taken of dt + bias; where
    it is not, there is no bias."""

    u: Tensor
    dt: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor | None
    z: Tensor | None
    bias: Tensor | None
    softplus: bool


def walk(x: Tensor, reverse: bool) -> Tensor:
    """(B, L, K) to (B, K, L) in walking order."""
    return aligned((x.flip(1) if reverse else x).transpose(1, 2))


def unwalk(y: Tensor, reverse: bool) -> Tensor:
    """(B, K, L) in walking order to (B, L, K)."""
    return (y.flip(2) if reverse else y).transpose(1, 2)


def at_rest(dt: Tensor, softplus: bool) -> float:
    """What dt must be for a step of exactly 0."""
    return torch.finfo(dt.dtype).min if softplus else 0.0


def arrange(
    u: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    z: Tensor | None,
    bias: Tensor | None,
    softplus: bool,
    reverse: bool,
    mask: Tensor | None,
) -> Walk:
    """The kernel's arguments from those of `caduceus.interfaces.Scan`; parameters in float32, the rest in one dtype."""
    A, D, bias = (None if x is None else aligned(x.float()) for x in (A, D, bias))  # type: ignore[assignment]
    if bias is not None and not softplus:
        dt, bias = dt.float() + bias, None
    dtype = working_dtype(u=u, dt=dt, B=B, C=C, z=z)
    u, dt, B, C = (x.to(dtype) for x in (u, dt, B, C))
    if mask is not None:
        masked = ~mask.unsqueeze(2)
        u, B = u.masked_fill(masked, 0.0), B.masked_fill(masked, 0.0)
        dt = dt.masked_fill(masked, at_rest(dt, softplus))
    u, dt, B, C = (walk(x, reverse) for x in (u, dt, B, C))
    return Walk(u, dt, A, B, C, D, None if z is None else walk(z.to(dtype), reverse), bias, softplus)


def scan(function: Callable[..., Any], given: Walk, state: Tensor | None) -> tuple[Tensor, Tensor]:
    """y (B, E, L) in the arguments' dtype and the last state (B, E, N) in float32."""
    dtype = given.u.dtype
    if state is not None:
        given = _bring_in(given, state)
    y, last = call(function, given)
    if state is not None:
        y = y[:, :, state.shape[2] :].to(dtype)
    return y, _LastState.apply(function, last.detach(), given.softplus, given.u, given.dt, given.A, given.B, given.bias)


def call(function: Callable[..., Any], given: Walk) -> tuple[Tensor, Tensor]:
    """y (B, E, L) and the last state (B, E, N), without a gradient; in as many calls as index widths ask for."""
    batch, channels, length = given.u.shape
    states = given.A.shape[1]

    def some_of(rows: slice, some: slice) -> tuple[Tensor, Tensor]:
        y, last = function(
            piece(given.u, rows, some),
            piece(given.dt, rows, some),
            piece(given.A, some),
            piece(given.B, rows),
            piece(given.C, rows),
            D=None if given.D is None else piece(given.D, some),
            z=None if given.z is None else piece(given.z, rows, some),
            delta_bias=None if given.bias is None else piece(given.bias, some),
            delta_softplus=given.softplus,
            return_last_state=True,
        )
        return align_gradient(y), last

    stored = 2 * states * -(-length // CHUNK)
    shared = -(-states * length // channels)
    return in_pieces(some_of, batch, channels, max(length, stored, shared))  # type: ignore[return-value]


def _bring_in(given: Walk, state: Tensor) -> Walk:
    """The same walk with the steps in front of it that set the state, in float32."""
    states = state.shape[2]
    dt = given.dt.float()
    if given.bias is not None:
        dt = dt + given.bias.unsqueeze(1)
    if given.softplus:
        dt = F.softplus(dt, threshold=20.0)
    unit = torch.eye(states, device=state.device).expand(state.shape[0], states, states)
    return given._replace(
        u=torch.cat([state.float() / ENTRY, given.u.float()], 2),
        dt=F.pad(dt, (states, 0), value=ENTRY),
        B=torch.cat([unit, given.B.float()], 2),
        C=F.pad(given.C.float(), (states, 0)),
        z=None if given.z is None else F.pad(given.z.float(), (states, 0)),
        bias=None,
        softplus=False,
    )


def _read_out(
    function: Callable[..., Any], softplus: bool, u: Tensor, dt: Tensor, A: Tensor, B: Tensor, bias: Tensor | None
) -> Tensor:
    """The last state (B, E, N) as a y, which has a gradient; in float32."""
    batch, states, length = B.shape
    unit = torch.eye(states, device=u.device).expand(batch, states, states)
    u, dt, B = u.float(), dt.float(), B.float()
    behind = (0, states)
    dt = F.pad(dt, behind, value=at_rest(dt, softplus))
    C = torch.cat([B.new_zeros(B.shape), unit], 2)
    y, _ = call(function, Walk(F.pad(u, behind), dt, A, F.pad(B, behind), C, None, None, bias, softplus))
    return y[:, :, length:]


class _LastState(torch.autograd.Function):
    """The kernel's last state with the gradient that the kernel leaves out; it costs nothing where nobody asks."""

    @staticmethod
    def forward(ctx: Any, function: Any, last: Tensor, softplus: bool, *walked: Tensor | None) -> Tensor:
        ctx.function, ctx.softplus = function, softplus
        ctx.save_for_backward(*walked)
        return last.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        with torch.enable_grad():
            again = [None if x is None else x.detach().requires_grad_() for x in ctx.saved_tensors]
            last = _read_out(ctx.function, ctx.softplus, *again)  # type: ignore[arg-type]
            found = torch.autograd.grad(last, [x for x in again if x is not None], gradient)
        named = iter(found)
        return None, None, None, *(None if x is None else next(named) for x in again)
