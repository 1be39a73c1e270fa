"""Arguments of the three kernels, and their results with gradients, on any backend."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

Arguments = dict[str, Any]
DTYPES = {"float32": torch.float32, "float64": torch.float64}
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-13}
"""Of the largest entry; the portable backend itself is off by as much in float32."""


def scan_arguments(
    batch: int, length: int, channels: int, states: int, dtype: torch.dtype = torch.float32, seed: int = 0
) -> Arguments:
    random = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random, dtype=torch.float64).to(dtype)

    rows = {name: normal(batch, length, channels) for name in ("u", "dt", "z")}
    inputs = {name: normal(batch, length, states) for name in ("B", "C")}
    vectors = {"D": normal(channels), "dt_bias": normal(channels) - 2, "state": normal(batch, channels, states)}
    return {**rows, **inputs, **vectors, "A": -normal(channels, states).exp(), "dt_softplus": True}


def conv_arguments(
    batch: int, length: int, channels: int, taps: int, dtype: torch.dtype = torch.float32, seed: int = 0
) -> Arguments:
    random = torch.Generator().manual_seed(seed)
    shapes = {"x": (batch, length, channels), "weight": (channels, taps), "bias": (channels,)}
    shapes["state"] = (batch, channels, taps - 1)
    tensors = {n: torch.randn(*s, generator=random, dtype=torch.float64).to(dtype) for n, s in shapes.items()}
    return {**tensors, "activation": "silu"}


def norm_arguments(rows: int, channels: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> Arguments:
    random = torch.Generator().manual_seed(seed)
    shapes = {"x": (1, rows, channels), "weight": (channels,), "bias": (channels,), "residual": (1, rows, channels)}
    return {n: torch.randn(*s, generator=random, dtype=torch.float64).to(dtype) for n, s in shapes.items()}


def random_mask(batch: int, length: int, seed: int = 0) -> Tensor:
    return torch.rand(batch, length, generator=torch.Generator().manual_seed(seed)) > 0.3


def results(backend: Any, kernel: str, arguments: Arguments) -> dict[str, Tensor]:
    """What ``kernel`` returns, and the gradients of a random weighting of it by every floating argument."""
    variables = {
        name: x.detach().requires_grad_()
        for name, x in arguments.items()
        if isinstance(x, Tensor) and x.dtype.is_floating_point
    }
    first, second = getattr(backend, kernel)(**(arguments | variables))
    random = torch.Generator().manual_seed(1)
    weights = [torch.randn(x.shape, generator=random, dtype=torch.float64).to(x.dtype) for x in (first, second)]
    grads = torch.autograd.grad((first, second), list(variables.values()), weights)
    found = {"first": first.detach(), "second": second.detach()}
    return found | {f"d{name}": grad for name, grad in zip(variables, grads, strict=True)}


def assert_close(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    for name, value in expected.items():
        scale = float(value.abs().max()) if value.numel() else 0.0
        tolerance = TOLERANCE[value.dtype] * max(scale, 1e-30)
        torch.testing.assert_close(found[name], value, rtol=0, atol=tolerance, msg=lambda m, n=name: f"{n}: {m}")


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """To the last bit."""
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
