"""The selective scan in plain torch: any device, differentiable twice, memory that does not grow with d_state.

    s_t = exp(delta_t A) s_{t-1} + delta_t u_t B_t        y_t = C_t . s_t

Shapes inside: time first, channels last, T steps a chunk: (T, B, N, E). The exponentials of a chunk are one operation,
the recurrence one fused multiply-add per step, so that only a chunk's states exist at a time. The backward keeps the
state at each chunk's start, computes the chunk's states again and walks the adjoint of the recurrence,

    g_t = C_t dy_t + exp(delta_{t+1} A) g_{t+1},

so it is linear in L. A backward that must itself be differentiated goes through the same recurrence written with
differentiable operations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

CHUNK_BYTES = 2 << 20
"""Size of one (T, B, N, E) buffer: it and its like should stay in a processor's cache."""


def scan(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, state: Tensor, reverse: bool
) -> tuple[Tensor, Tensor]:
    """y (B, L, E) and the last state (B, E, N), of u, delta (B, L, E), A (E, N), B, C (B, L, N), state (B, E, N).

    All of one floating dtype; first and second derivatives with respect to all of them.
    """
    y, last = _Scan.apply(u, delta, A.t(), B, C, state.transpose(1, 2), reverse)
    return y, last.transpose(1, 2)


def chunk_steps(batch: int, channels: int, states: int, itemsize: int, length: int) -> int:
    """Steps per chunk: as many as fill `CHUNK_BYTES`, at least 8, at most the sequence."""
    return max(1, min(length, max(8, CHUNK_BYTES // max(1, batch * channels * states * itemsize))))


def _chunks(length: int, steps: int, reverse: bool) -> Iterator[slice]:
    """Slices of positions in walking order."""
    starts = range(0, length, steps)
    for start in reversed(starts) if reverse else starts:
        yield slice(start, min(start + steps, length))


def _walk(x: Tensor, where: slice, reverse: bool) -> Tensor:
    """Positions ``where`` of (B, L, K), time first and in walking order: (T, B, K)."""
    x = x[:, where].transpose(0, 1)
    return x.flip(0) if reverse else x.contiguous()


def _unwalk(x: Tensor, reverse: bool) -> Tensor:
    """Back from (T, B, K) in walking order to (B, T, K) in position order."""
    return (x.flip(0) if reverse else x).transpose(0, 1)


def _states(delta: Tensor, drive: Tensor, At: Tensor, B: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """decay and states (T, B, N, E) of one chunk; delta, drive = delta u: (T, B, E), B (T, B, N), state (B, N, E)."""
    decay = torch.mul(delta.unsqueeze(2), At).exp_()
    states = torch.mul(drive.unsqueeze(2), B.unsqueeze(3))
    for decay_t, state_t in zip(decay.unbind(0), states.unbind(0), strict=True):
        state = torch.addcmul(state_t, decay_t, state, out=state_t)
    return decay, states


class _Scan(torch.autograd.Function):
    """The recurrence with a backward written by hand; A and the states come transposed, (N, E) and (B, N, E)."""

    @staticmethod
    def forward(
        ctx: Any, u: Tensor, delta: Tensor, At: Tensor, B: Tensor, C: Tensor, state: Tensor, reverse: bool
    ) -> tuple[Tensor, Tensor]:
        batch, length, channels = u.shape
        ctx.reverse = reverse
        ctx.steps = chunk_steps(batch, channels, At.shape[0], u.element_size(), length)
        ctx.set_materialize_grads(True)
        y = torch.empty_like(u, memory_format=torch.contiguous_format)
        decay_rates = At.contiguous()
        starts = []
        current = state.contiguous()
        for where in _chunks(length, ctx.steps, reverse):
            starts.append(current)
            d = _walk(delta, where, reverse)
            _, states = _states(d, d * _walk(u, where, reverse), decay_rates, _walk(B, where, reverse), current)
            current = states[-1].clone()
            y[:, where] = _unwalk(torch.matmul(_walk(C, where, reverse).unsqueeze(2), states).squeeze(2), reverse)
        ctx.save_for_backward(u, delta, At, B, C, state, *starts)
        return y, current.clone()

    @staticmethod
    def backward(ctx: Any, dy: Tensor, dlast: Tensor) -> tuple[Tensor | None, ...]:
        u, delta, At, B, C, state, *starts = ctx.saved_tensors
        if torch.is_grad_enabled():
            return (*_differentiable_grads((u, delta, At, B, C, state), ctx.reverse, dy, dlast), None)
        du, ddelta, dB, dC = (torch.empty_like(x, memory_format=torch.contiguous_format) for x in (u, delta, B, C))
        At = At.contiguous()
        dAt = torch.zeros_like(At)
        carry = dlast.contiguous()
        chunks = list(_chunks(u.shape[1], ctx.steps, ctx.reverse))
        for where, start in zip(reversed(chunks), reversed(starts), strict=True):
            walked = tuple(_walk(x, where, ctx.reverse) for x in (u, delta, B, C, dy))
            *grads, dA_chunk, carry = _chunk_grads(walked, At, start, carry)
            for into, grad in zip((du, ddelta, dB, dC), grads, strict=True):
                into[:, where] = _unwalk(grad, ctx.reverse)
            dAt += dA_chunk
        return du, ddelta, dAt, dB, dC, carry, None


def _chunk_grads(walked: tuple[Tensor, ...], At: Tensor, start: Tensor, carry: Tensor) -> tuple[Tensor, ...]:
    """Gradients of one chunk, in walking order: (du, ddelta, dB, dC, dAt, adjoint of the state before the chunk).

    ``walked``: u, delta, B, C, dy; ``carry``: the adjoint of the state after the chunk's last step.
    """
    u, delta, B, C, dy = walked
    drive = delta * u
    decay, states = _states(delta, drive, At, B, start)
    adjoint = torch.mul(C.unsqueeze(3), dy.unsqueeze(2))
    adjoint[-1] += carry
    steps = adjoint.unbind(0)
    for t in range(len(steps) - 2, -1, -1):
        steps[t].addcmul_(decay[t + 1], steps[t + 1])
    dC = torch.matmul(states, dy.unsqueeze(3)).squeeze(3)
    dB = torch.matmul(adjoint, drive.unsqueeze(3)).squeeze(3)
    ddrive = torch.matmul(B.unsqueeze(2), adjoint).squeeze(2)
    # From here `decay` holds the adjoint of delta_t A: exp(delta_t A) s_{t-1} g_t.
    before = decay[0] * adjoint[0]
    decay[1:].mul_(states[:-1])
    decay[0].mul_(start)
    decay.mul_(adjoint)
    dAt = torch.mul(decay, delta.unsqueeze(2), out=adjoint).sum((0, 1))
    ddelta = torch.mul(decay, At, out=states).sum(2).addcmul_(ddrive, u)
    return ddrive.mul_(delta), ddelta, dB, dC, dAt, before


def _differentiable_grads(
    inputs: tuple[Tensor, ...], reverse: bool, dy: Tensor, dlast: Tensor
) -> tuple[Tensor | None, ...]:
    """The same gradients as a differentiable function of everything: autograd through the plain recurrence."""
    u, delta, At, B, C, state = inputs
    everywhere = slice(0, u.shape[1])
    d, v, Bw, Cw = (_walk(x, everywhere, reverse) for x in (delta, delta * u, B, C))
    decay = torch.exp(d.unsqueeze(2) * At)
    drive = v.unsqueeze(2) * Bw.unsqueeze(3)
    states = []
    for decay_t, drive_t in zip(decay.unbind(0), drive.unbind(0), strict=True):
        state = torch.addcmul(drive_t, decay_t, state)
        states.append(state)
    y = _unwalk(torch.matmul(Cw.unsqueeze(2), torch.stack(states)).squeeze(2), reverse)
    wanted = [x for x in inputs if x.requires_grad]
    grads = iter(torch.autograd.grad((y, state), wanted, (dy, dlast), create_graph=True, allow_unused=True))
    return tuple(next(grads) if x.requires_grad else None for x in inputs)
