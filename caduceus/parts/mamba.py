"""Mamba: a selective state-space mixer that walks one way along a strand (Gu and Dao 2023; Schiff et al. 2024, 3).

    x, z   = in_proj(h)                                two streams of d_inner channels
    u_t    = silu(sum_k w_k x_{t-K+1+k} + b)           causal depthwise convolution, K = d_conv
    dt, B, C = x_proj(u)                               the selection: they depend on the input
    delta  = softplus(dt_proj(dt) + dt_bias)
    s_t    = exp(delta_t A) s_{t-1} + delta_t B_t u_t   A = -exp(A_log); s is (d_inner, d_state), s_0 = 0
    y_t    = C_t s_t + D u_t
    out    = out_proj(y * silu(z))

With ``direction: reverse`` the convolution and the recurrence walk from the last position to the first.
"""

from __future__ import annotations

from math import ceil, sqrt
from typing import Literal

from pydantic import Field, model_validator

from caduceus.spec import Spec
from caduceus.weights import Constant, InverseSoftplusLogUniform, LogRange, Uniform, Weight, Weights

Direction = Literal["forward", "reverse"]


class Mamba(Spec, kind="mamba"):
    """Mamba-1. Field names and defaults are the field's own; initial values as in the authors' code.

    Attributes:
        d_state: N, states per channel.
        d_conv: K, taps of the convolution.
        expand: d_inner = int(expand * d_model).
        dt_rank: rank of the projection that gives dt; "auto" is ceil(d_model / 16).
        dt_min, dt_max, dt_init_floor: range of the initial step sizes.
        dt_init, dt_scale: initial values of dt_proj: uniform within, or constant at, dt_rank^-0.5 * dt_scale.
        conv_bias, bias: biases of the convolution; of in_proj and out_proj.
        direction: which way it walks.

    >>> m = Mamba(d_model=118)
    >>> m.d_inner, m.rank
    (236, 8)
    """

    d_state: int = Field(default=16, gt=0, le=256)
    d_conv: int = Field(default=4, gt=0)
    expand: int | float = Field(default=2, gt=0)
    dt_rank: int | Literal["auto"] = "auto"
    dt_min: float = Field(default=0.001, gt=0)
    dt_max: float = Field(default=0.1, gt=0)
    dt_init: Literal["random", "constant"] = "random"
    dt_scale: float = Field(default=1.0, gt=0)
    dt_init_floor: float = Field(default=1e-4, gt=0)
    conv_bias: bool = True
    bias: bool = False
    direction: Direction = "forward"

    @model_validator(mode="after")
    def _ranges(self) -> Mamba:
        if self.dt_min > self.dt_max:
            raise ValueError(f"dt_min is {self.dt_min}, expected at most dt_max, {self.dt_max}")
        if self.dt_rank != "auto" and self.dt_rank < 1:
            raise ValueError(f'dt_rank is {self.dt_rank}, expected a positive number or "auto"')
        return self

    @property
    def d_inner(self) -> int:
        found = int(self.expand * self.channels)
        if found == 0:
            raise ValueError(f"expand is {self.expand} and d_model {self.channels}: no channel is left inside")
        return found

    @property
    def rank(self) -> int:
        return ceil(self.channels / 16) if self.dt_rank == "auto" else self.dt_rank

    def projection_weights(self) -> Weights:
        """in_proj (2 d_inner, d_model), x first and z second, and out_proj (d_model, d_inner)."""
        d, e = self.channels, self.d_inner
        weights = {
            "in_proj.weight": Weight((2 * e, d), Uniform(1 / sqrt(d))),
            "out_proj.weight": Weight((d, e), Uniform(1 / sqrt(e)), closes_residual=True),
        }
        if self.bias:
            weights["in_proj.bias"] = Weight((2 * e,), Constant(0.0), decay=False)
            weights["out_proj.bias"] = Weight((d,), Constant(0.0), decay=False)
        return weights

    def inner_weights(self) -> Weights:
        """Convolution (d_inner, d_conv), selection and state matrix: what two tied directions do not share."""
        e, n, r, k = self.d_inner, self.d_state, self.rank, self.d_conv
        step = r**-0.5 * self.dt_scale
        weights = {
            "conv1d.weight": Weight((e, k), Uniform(1 / sqrt(k))),
            "x_proj.weight": Weight((r + 2 * n, e), Uniform(1 / sqrt(e))),
            "dt_proj.weight": Weight((e, r), Uniform(step) if self.dt_init == "random" else Constant(step)),
            "dt_bias": Weight(
                (e,), InverseSoftplusLogUniform(self.dt_min, self.dt_max, self.dt_init_floor), decay=False
            ),
            "A_log": Weight((e, n), LogRange(), decay=False, wide=True),
            "D": Weight((e,), Constant(1.0), decay=False, wide=True),
        }
        if self.conv_bias:
            weights["conv1d.bias"] = Weight((e,), Uniform(1 / sqrt(k)), decay=False)
        return weights

    def weights(self) -> Weights:
        return {**self.projection_weights(), **self.inner_weights()}
