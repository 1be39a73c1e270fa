"""A whole Mamba at the level of kernels: arguments by one name each, and the fused kernel or its formula on them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from caduceus.interfaces import MambaDirection

Arguments = dict[str, Any]
PROJECTIONS = ("in_proj", "in_bias", "out_proj", "out_bias")
WEIGHTS = MambaDirection._fields[:-1]


class Size(NamedTuple):
    """B, L, C, E, N, K, the rank of dt, and which way each direction walks backwards."""

    batch: int = 2
    length: int = 70
    outer: int = 6
    channels: int = 10
    states: int = 3
    taps: int = 4
    rank: int = 2
    walks: tuple[bool, ...] = (False, True)

    def __str__(self) -> str:
        walks = "".join("<" if reverse else ">" for reverse in self.walks)
        return "x".join(map(str, self[:-1])) + walks


def mamba_arguments(size: Size, dtype: torch.dtype = torch.float32, seed: int = 0) -> Arguments:
    """The weight ``A`` of the second direction is ``A.1``; ``walks`` says which way each goes.

    Values are those of float32 in either dtype, and sums over channels of the order of 1.
    """
    random = torch.Generator().manual_seed(seed)
    _, _, C, E, N, K, R, walks = size

    def normal(*shape: int, scale: float = 1.0) -> Tensor:
        return (scale * torch.randn(*shape, generator=random, dtype=torch.float64)).float().to(dtype)

    found: Arguments = {
        "h": normal(*size[:3]),
        "in_proj": normal(2 * E, C, scale=C**-0.5),
        "in_bias": normal(2 * E),
        "out_proj": normal(C, E, scale=E**-0.5),
        "out_bias": normal(C),
        "walks": walks,
    }
    for i in range(len(walks)):
        found |= {
            f"conv_weight.{i}": normal(E, K, scale=K**-0.5),
            f"conv_bias.{i}": normal(E),
            f"x_proj.{i}": normal(R + 2 * N, E, scale=E**-0.5),
            f"dt_proj.{i}": normal(E, R, scale=R**-0.5),
            f"dt_bias.{i}": normal(E) - 2,
            f"A.{i}": -normal(E, N).exp(),
            f"D.{i}": normal(E),
        }
    return found


def mamba(backend: Any, *, h: Tensor, walks: Sequence[bool], mask: Tensor | None = None, **weights: Any) -> Tensor:
    """The kernel of a backend that has one, else the formula on its three."""
    directions = [
        MambaDirection(*(weights.get(f"{name}.{i}") for name in WEIGHTS), reverse=reverse)
        for i, reverse in enumerate(walks)
    ]
    states, taps = directions[0].A.shape[1], directions[0].conv_weight.shape[1]
    fuse = getattr(backend, "fused_mamba", lambda **sizes: partial(formula, backend))
    return fuse(d_state=states, d_conv=taps)(h, *(weights.get(name) for name in PROJECTIONS), directions, mask)


def formula(
    backend: Any,
    h: Tensor,
    in_proj: Tensor,
    in_bias: Tensor | None,
    out_proj: Tensor,
    out_bias: Tensor | None,
    directions: Sequence[MambaDirection],
    mask: Tensor | None = None,
) -> Tensor:
    """`caduceus.interfaces.FusedMamba`, each step as it is written there."""
    masked = torch.zeros(h.shape[:2], dtype=torch.bool) if mask is None else ~mask
    x, z = F.linear(h.masked_fill(masked[..., None], 0.0), in_proj, in_bias).chunk(2, dim=-1)
    outs = [F.linear(_inner(backend, x, d, mask) * F.silu(z), out_proj, out_bias) for d in directions]
    return torch.stack(outs).sum(0).masked_fill(masked[..., None], 0.0)


def _inner(backend: Any, x: Tensor, d: MambaDirection, mask: Tensor | None) -> Tensor:
    walk: dict[str, Any] = {"reverse": d.reverse, "mask": mask}
    u, _ = backend.causal_conv(x, d.conv_weight, d.conv_bias, activation="silu", **walk)
    rank, states = d.dt_proj.shape[1], d.A.shape[1]
    dt, B, C = F.linear(u, d.x_proj).split([rank, states, states], dim=-1)
    steps = {"D": d.D, "dt_bias": d.dt_bias, "dt_softplus": True}
    y, _ = backend.selective_scan(u, F.linear(dt, d.dt_proj), d.A, B, C, **steps, **walk)
    return y
