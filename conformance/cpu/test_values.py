"""Values and gradients against the portable backend, at sizes around the edges of lanes, registers, tiles, groups."""

from __future__ import annotations

import itertools

import pytest
import torch

from caduceus.backends.cpu import CpuBackend
from caduceus.backends.torch import TorchBackend
from caduceus.conformance.cpu.examples import (
    assert_close,
    conv_arguments,
    norm_arguments,
    random_mask,
    results,
    scan_arguments,
)
from caduceus.conformance.cpu.nan import BITS, survives_late_nan, survives_nan_rate

PORTABLE = TorchBackend()
LENGTHS = (1, 2, 3, 31, 32, 33, 63, 64, 65, 257)
CHANNELS = (1, 5, 8, 15, 16, 17, 33, 236)
STATES = (1, 3, 4, 5, 8, 16, 17, 64, 256)
SIZES = [(2, length, 5, 3) for length in LENGTHS]
SIZES += [(1, 35, channels, 2) for channels in CHANNELS]
SIZES += [(1, 34, 17, states) for states in STATES]
SIZES += [(2, 40, 600, 1)]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_scan(backend: CpuBackend, dtype: torch.dtype, size: tuple[int, int, int, int]) -> None:
    arguments = scan_arguments(*size, dtype=dtype)
    arguments |= {"reverse": sum(size) % 2 == 1, "mask": random_mask(*size[:2]) if size[1] % 3 else None}
    assert_close(results(backend, "selective_scan", arguments), results(PORTABLE, "selective_scan", arguments))


@pytest.mark.parametrize("without", [("z",), ("D",), ("dt_bias",), ("state",), ("z", "D", "dt_bias", "state")])
def test_scan_without_optional_arguments(backend: CpuBackend, dtype: torch.dtype, without: tuple[str, ...]) -> None:
    arguments = {n: x for n, x in scan_arguments(2, 70, 20, 6, dtype).items() if n not in without}
    assert_close(results(backend, "selective_scan", arguments), results(PORTABLE, "selective_scan", arguments))


def test_scan_without_softplus(backend: CpuBackend, dtype: torch.dtype) -> None:
    """Negative steps grow the state; they are as good as any."""
    arguments = scan_arguments(1, 40, 9, 5, dtype) | {"dt_softplus": False, "dt_bias": None}
    arguments["dt"] = 0.1 * arguments["dt"]
    assert_close(results(backend, "selective_scan", arguments), results(PORTABLE, "selective_scan", arguments))


@pytest.mark.parametrize("reverse", [False, True])
def test_nan_leaves_earlier_steps_alone(backend: CpuBackend, dtype: torch.dtype, reverse: bool) -> None:
    assert all(survives_late_nan(backend, dtype, reverse))


@pytest.mark.parametrize("bits", BITS.values(), ids=BITS)
def test_nan_among_rates_leaves_other_states_alone(backend: CpuBackend, bits: int) -> None:
    assert all(survives_nan_rate(backend, bits))


@pytest.mark.parametrize("taps", [1, 2, 4, 7])
@pytest.mark.parametrize(("length", "channels"), [(1, 3), (2, 8), (3, 17), (64, 5), (65, 236), (257, 16)])
def test_conv(backend: CpuBackend, dtype: torch.dtype, taps: int, length: int, channels: int) -> None:
    for reverse, activation in itertools.product((False, True), ("silu", None)):
        arguments = conv_arguments(2, length, channels, taps, dtype) | {"reverse": reverse, "activation": activation}
        arguments["mask"] = random_mask(2, length) if reverse else None
        assert_close(results(backend, "causal_conv", arguments), results(PORTABLE, "causal_conv", arguments))


@pytest.mark.parametrize("kind", ["rms", "layer"])
@pytest.mark.parametrize(("rows", "channels"), [(1, 2), (3, 5), (64, 8), (65, 17), (130, 118), (5, 256)])
def test_norm(backend: CpuBackend, dtype: torch.dtype, kind: str, rows: int, channels: int) -> None:
    arguments = norm_arguments(rows, channels, dtype) | {"kind": kind, "eps": 1e-3}
    assert_close(results(backend, "add_norm", arguments), results(PORTABLE, "add_norm", arguments))


def test_long_sums_are_accurate(backend: CpuBackend) -> None:
    """Gradients that sum over 20,000 positions, in float32 against float64."""
    for kernel, arguments in (
        ("causal_conv", conv_arguments(1, 20_000, 4, 4)),
        ("add_norm", norm_arguments(20_000, 4)),
        ("selective_scan", scan_arguments(1, 20_000, 4, 2)),
    ):
        wide = {n: x.double() if isinstance(x, torch.Tensor) else x for n, x in arguments.items()}
        assert_close(results(backend, kernel, arguments), results(PORTABLE, kernel, wide))


@pytest.mark.parametrize(
    ("channels", "length", "states"), [(1, 1, 1), (3, 34, 2), (9, 5, 3)], ids=["smallest", "two tiles", "two columns"]
)
def test_gradcheck(backend: CpuBackend, channels: int, length: int, states: int) -> None:
    scan = scan_arguments(1, length, channels, states, torch.float64) | {"mask": random_mask(1, length)}
    conv = conv_arguments(1, length, channels, 3, torch.float64)
    norm = norm_arguments(length, channels + 1, torch.float64) | {"kind": "layer"}
    for kernel, arguments in (("selective_scan", scan), ("causal_conv", conv), ("add_norm", norm)):
        names = [n for n, x in arguments.items() if isinstance(x, torch.Tensor) and x.dtype == torch.float64]

        def call(
            *tensors: torch.Tensor, kernel: str = kernel, fixed: object = arguments, names: object = names
        ) -> object:
            return getattr(backend, kernel)(**(fixed | dict(zip(names, tensors, strict=True))))

        variables = [arguments[n].requires_grad_() for n in names]
        assert torch.autograd.gradcheck(call, variables, fast_mode=True, rtol=1e-5)
