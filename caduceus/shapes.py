"""Refuse arguments that do not fit together before any work is done: the same messages for every tensor backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def expect(name: str, x: Any, *shape: int | None) -> None:
    """Raise ValueError unless ``x`` is None or has ``shape``; None in a shape stands for any size."""
    if x is None:
        return
    received = tuple(x.shape)
    if len(received) != len(shape) or any(n is not None and n != m for n, m in zip(shape, received, strict=True)):
        shown = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} has shape {received}, expected ({shown})")


def expect_mask(mask: Any, batch: int, length: int) -> None:
    """Raise ValueError unless ``mask`` is None or boolean (B, L)."""
    expect("mask", mask, batch, length)
    if mask is not None and not str(mask.dtype).endswith("bool"):
        raise ValueError(f"mask has dtype {mask.dtype}, expected bool, True at valid positions")


def check_scan(u: Any, dt: Any, A: Any, B: Any, C: Any, D: Any, z: Any, dt_bias: Any, state: Any, mask: Any) -> None:
    """The arguments of `selective_scan`."""
    expect("u", u, None, None, None)
    batch, length, channels = u.shape
    expect("A", A, channels, None)
    states = A.shape[1]
    for name, x in (("dt", dt), ("z", z)):
        expect(name, x, batch, length, channels)
    for name, x in (("B", B), ("C", C)):
        expect(name, x, batch, length, states)
    for name, x in (("D", D), ("dt_bias", dt_bias)):
        expect(name, x, channels)
    expect("state", state, batch, channels, states)
    expect_mask(mask, batch, length)


def check_conv(x: Any, weight: Any, bias: Any, activation: Any, state: Any, mask: Any) -> None:
    """The arguments of `causal_conv`."""
    expect("x", x, None, None, None)
    batch, length, channels = x.shape
    expect("weight", weight, channels, None)
    expect("bias", bias, channels)
    expect("state", state, batch, channels, weight.shape[1] - 1)
    expect_mask(mask, batch, length)
    if activation not in (None, "silu"):
        raise ValueError(f'activation is {activation!r}, expected None or "silu"')


def check_norm(x: Any, weight: Any, bias: Any, residual: Any, kind: str) -> None:
    """The arguments of `add_norm`."""
    expect("weight", weight, x.shape[-1])
    expect("bias", bias, x.shape[-1])
    expect("residual", residual, *x.shape)
    if kind not in ("rms", "layer"):
        raise ValueError(f'kind is {kind!r}, expected "rms" or "layer"')


def check_mamba(
    h: Any, in_proj: Any, in_bias: Any, out_proj: Any, out_bias: Any, directions: Sequence[Any], mask: Any
) -> None:
    """The arguments of `caduceus.interfaces.FusedMamba`, of one direction or two, which are of one size."""
    if len(directions) not in (1, 2):
        raise ValueError(f"directions are {len(directions)}, expected 1 or 2")
    expect("h", h, None, None, None)
    batch, length, outer = h.shape
    expect("out_proj", out_proj, outer, None)
    channels = out_proj.shape[1]
    expect("out_bias", out_bias, outer)
    expect("in_proj", in_proj, 2 * channels, outer)
    expect("in_bias", in_bias, 2 * channels)
    for name in ("conv_weight", "dt_proj", "A"):
        expect(name, getattr(directions[0], name), channels, None)
    taps, rank, states = (getattr(directions[0], name).shape[1] for name in ("conv_weight", "dt_proj", "A"))
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("conv_bias", "dt_bias", "D"), (channels,))
    shapes |= {"conv_weight": (channels, taps), "dt_proj": (channels, rank), "A": (channels, states)}
    shapes |= {"x_proj": (rank + 2 * states, channels)}
    for direction in directions:
        for name, shape in shapes.items():
            expect(name, getattr(direction, name), *shape)
    expect_mask(mask, batch, length)
