"""Arguments of the kernels, and their results with gradients, on any backend."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from caduceus.conformance.cpu.mamba import mamba

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


def call(backend: Any, kernel: str, arguments: Arguments) -> tuple[Tensor, ...]:
    """What ``kernel`` returns; "mamba" is a whole Mamba, or its formula on the three others."""
    return (mamba(backend, **arguments),) if kernel == "mamba" else getattr(backend, kernel)(**arguments)


def results(backend: Any, kernel: str, arguments: Arguments) -> dict[str, Tensor]:
    """What ``kernel`` returns, and the gradients of a random weighting of it by every floating argument."""
    variables = {
        name: x.detach().requires_grad_()
        for name, x in arguments.items()
        if isinstance(x, Tensor) and x.dtype.is_floating_point
    }
    outputs = call(backend, kernel, arguments | variables)
    random = torch.Generator().manual_seed(1)
    weights = [torch.randn(x.shape, generator=random, dtype=torch.float64).float().to(x.dtype) for x in outputs]
    grads = torch.autograd.grad(outputs, list(variables.values()), weights)
    found = {name: x.detach() for name, x in zip(("first", "second"), outputs, strict=False)}
    return found | {f"d{name}": grad for name, grad in zip(variables, grads, strict=True)}


def errors(found: dict[str, Tensor], expected: dict[str, Tensor]) -> dict[str, float]:
    """Largest difference of each, in multiples of what the dtype found allows; infinite where anything is NaN."""
    multiples = {}
    for name, wanted in expected.items():
        assert found[name].shape == wanted.shape, name
        allowed = TOLERANCE[found[name].dtype] * max(_largest(wanted), 1e-30)
        multiples[name] = _largest(found[name].to(wanted.dtype) - wanted) / allowed
    return multiples


def _largest(x: Tensor) -> float:
    return float(x.abs().nan_to_num(nan=float("inf")).max()) if x.numel() else 0.0


def assert_close(found: dict[str, Tensor], expected: dict[str, Tensor], kernels: int = 1) -> None:
    """To what the dtype allows, of which a chain of ``kernels`` may take a multiple."""
    assert {name: error for name, error in errors(found, expected).items() if error > kernels} == {}


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """To the last bit."""
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
