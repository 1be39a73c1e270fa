"""The hard floor: the time that the arithmetic itself takes at the machine's own rates.

With d = d_model, E = d_inner, R = dt_rank, N = d_state, a layer that reads a token both ways and shares its projections
takes, per token and strand,

    2 (2dE + 2E(R + 2N) + 2RE + Ed)   FLOP in matrix products: in_proj, x_proj and dt_proj each way, out_proj
    2EN                               updates of a state, each with one exponential

(0.92 MFLOP and 16,384 updates at d_model 256). Other layers own other numbers of these products: a unidirectional one
has one x_proj, dt_proj and scan; untied directions have two in_proj and out_proj, `multiply` two out_proj.

    forward    FLOP / fma + updates (1 / exp + 3 * 2 / fma)
    train      the same, and for the backward 2 FLOP / fma + updates (1 / exp + 11 * 2 / fma)

fma is the measured peak in FLOP a second, exp the measured rate of exponentials. A state update is the exponential and
three multiply-adds or products (delta_t u_t B_t; the recurrence; C_t s_t). Its backward computes exponential and state
again (two) and then the adjoint of the state (two), its products with B, with s into dC and with the drive into dB
(three), the adjoint of delta_t A (two) and its products into dA and d delta (two): eleven. Matrix products are computed
once forward and twice backward. Parts do not overlap, memory takes no time, and embedding, convolution, norms,
softplus, gates, head and loss (below 3 % at d_model 256) are left out; so is anything that is computed a second time to
save memory.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from caduceus.backends.cpu.limits import Limits
from caduceus.bench.work import Work, cell_of
from caduceus.parts import BiMamba

FORWARD_STEPS, BACKWARD_STEPS = 3, 11
"""Multiply-adds of a state update besides the exponential."""


class Count(NamedTuple):
    """Work of one forward.

    Attributes:
        flop: floating-point operations in matrix products.
        updates: of a state: one a channel, state and position, each way.
    """

    flop: int
    updates: int


def per_token(mixer: Any) -> Count | None:
    """One layer, one token, one strand; None for a mixer of another kind than `mamba` and `bimamba`.

    >>> from caduceus.parts import BiMamba
    >>> per_token(BiMamba(d_model=256))
    Count(flop=917504, updates=16384)
    """
    cell = cell_of(mixer)
    if cell is None:
        return None
    ways = ins = outs = 1
    if isinstance(mixer, BiMamba):
        tied = mixer.tie == "projections"
        ways, ins, outs = 2, 1 if tied else 2, 1 if tied and mixer.fusion == "add" else 2
    d, e, r, n = cell.channels, cell.d_inner, cell.rank, cell.d_state
    products = ins * 2 * d * e + ways * (e * (r + 2 * n) + r * e) + outs * e * d
    return Count(2 * products, ways * e * n)


def count(work: Work) -> Count | None:
    """What the forward of ``work`` takes; None if it has a mixer whose work is not known."""
    if work.part == "scan":
        cell = cell_of(work.mixers[0])
        return None if cell is None else Count(0, work.tokens * cell.d_inner * cell.d_state)
    layers = [per_token(mixer) for mixer in work.mixers]
    known = [layer for layer in layers if layer is not None]
    if len(known) < len(layers):
        return None
    times = work.tokens * work.strands
    return Count(times * sum(layer.flop for layer in known), times * sum(layer.updates for layer in known))


def floor_seconds(work: Work, limits: Limits | None) -> float | None:
    """The floor of ``work``; None where the limits were not measured or the work is not known."""
    counted = count(work)
    if limits is None or counted is None:
        return None
    flop, updates = counted
    seconds = flop / limits.fma + updates * _update(limits, FORWARD_STEPS)
    if work.mode == "train":
        seconds += 2 * flop / limits.fma + updates * _update(limits, BACKWARD_STEPS)
    return seconds


def _update(limits: Limits, steps: int) -> float:
    return 1 / limits.exp + steps * 2 / limits.fma
