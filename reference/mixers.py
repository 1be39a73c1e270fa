"""Mix: Mamba, BiMamba and the cross-strand map, on strands (B, L, C) in their own 5'->3' order.

Nothing is shared between directions here: BiMamba is M_fwd(h) + flip(M_rev(flip h)) to the letter, each M with both of
its projections and the biases of both.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from caduceus import parts
from caduceus.reference.arrays import Array, keep, matrix_product
from caduceus.reference.scan import causal_conv, selective_scan
from caduceus.reference.strands import flip_length, flip_mask


def linear(weights: Mapping[str, Array], name: str, x: Array) -> Array:
    """x W^T + b, with b only if there is one."""
    y = matrix_product(x, weights[f"{name}.weight"])
    return y + weights[f"{name}.bias"] if f"{name}.bias" in weights else y


def mamba(spec: parts.Mamba, weights: Mapping[str, Array], h: Array, mask: Array | None = None) -> Array:
    """M(h), or flip(M(flip(h))) if its direction is reverse."""
    if spec.direction == "reverse":
        return flip_length(mamba_forward(spec, weights, flip_length(h), flip_mask(mask)))
    return mamba_forward(spec, weights, h, mask)


def mamba_forward(spec: parts.Mamba, weights: Mapping[str, Array], h: Array, mask: Array | None = None) -> Array:
    """M(h), walking from the first position to the last.

        [x ; z]        = W_in h + b_in                          x = 0 where masked
        u_t            = silu(sum_k w_k x_{t-K+1+k} + b_conv)
        [dt ; B ; C]   = W_x u
        delta          = softplus(W_dt dt + b_dt)               0 where masked
        s_t            = exp(delta_t A) s_{t-1} + delta_t u_t B_t,   A = -exp(A_log)
        M(h)           = W_out ((C_t . s_t + D u_t) silu(z_t)) + b_out

    Inputs before the first position, and the first state, are 0.
    """
    inner, rank, states = spec.d_inner, spec.rank, spec.d_state
    xz = linear(weights, "in_proj", h)
    x, z = xz[..., :inner], xz[..., inner:]
    u, _ = causal_conv(keep(x, mask), weights["conv1d.weight"], weights.get("conv1d.bias"), "silu")
    selection = linear(weights, "x_proj", u)
    dt = matrix_product(selection[..., :rank], weights["dt_proj.weight"])
    B, C = selection[..., rank : rank + states], selection[..., rank + states :]
    A = -np.exp(weights["A_log"])
    y, _ = selective_scan(u, dt, A, B, C, weights["D"], z, weights["dt_bias"], dt_softplus=True, mask=mask)
    return linear(weights, "out_proj", y)


def bimamba(spec: parts.BiMamba, weights: Mapping[str, Array], h: Array, mask: Array | None = None) -> Array:
    """M_fwd(h) + flip(M_rev(flip(h))), or the product of the two terms; masked positions reverse with h."""
    forward, reverse = ({n[4:]: w for n, w in weights.items() if n.startswith(d)} for d in ("fwd.", "rev."))
    first = mamba_forward(spec.cell, forward, h, mask)
    second = flip_length(mamba_forward(spec.cell, reverse, flip_length(h), flip_mask(mask)))
    return first + second if spec.fusion == "add" else first * second


def cross_strand(
    spec: parts.CrossStrand, weights: Mapping[str, Array], first: Array, second: Array, mask: Array | None = None
) -> tuple[Array, Array]:
    """s0'_i = W s1_{L-1-i} and s1'_i = W s0_{L-1-i}: each base hears its partner on the other strand."""
    del spec, mask  # a base and its partner are masked together, and what is masked is 0 already
    W = weights["weight"]
    length = first.shape[1]
    new_first = np.empty(first.shape, np.result_type(first, second, W))
    new_second = np.empty_like(new_first)
    for i in range(length):
        new_first[:, i] = second[:, length - 1 - i] @ W.T
        new_second[:, i] = first[:, length - 1 - i] @ W.T
    return new_first, new_second
