"""What the backend adds to the functions: values and gradients against the portable backend, layouts, dtypes, sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from caduceus.backends.cuda import CudaBackend
from caduceus.backends.torch import TorchBackend
from caduceus.conformance.cpu.examples import (
    Arguments,
    assert_close,
    assert_same,
    conv_arguments,
    norm_arguments,
    random_mask,
    results,
    scan_arguments,
)
from caduceus.conformance.cuda.stand_ins import Calls

PORTABLE = TorchBackend()


class AtValid:
    """A backend of which y counts at valid positions alone: elsewhere it is nobody's."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend

    def selective_scan(self, **arguments: Any) -> tuple[Tensor, Tensor]:
        y, last = self.backend.selective_scan(**arguments)
        return y.masked_fill(~arguments["mask"].unsqueeze(2), 0.0), last


OPTIONS: tuple[Arguments, ...] = (
    {"state": None},
    {"state": None, "D": None, "z": None},
    {"state": None, "dt_bias": None},
    {"state": None, "dt_softplus": False},
    {"dt_softplus": False},
    {"dt_softplus": False, "dt_bias": None, "z": None},
    {},
)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_scan(backend: CudaBackend, options: Arguments, masked: bool, reverse: bool) -> None:
    """Of every combination of what the function lacks; 128 is a length that it reads by vectors."""
    for length in (1, 40, 128):
        arguments = scan_arguments(2, length, 5, 3) | options | {"reverse": reverse}
        if not arguments["dt_softplus"]:
            arguments["dt"] = arguments["dt"].abs()
            arguments |= {} if arguments["dt_bias"] is None else {"dt_bias": arguments["dt_bias"].abs()}
        arguments["mask"] = random_mask(2, length) if masked else torch.ones(2, length, dtype=torch.bool)
        found, expected = (results(AtValid(b), "selective_scan", arguments) for b in (backend, PORTABLE))
        assert_close(found, expected)


@pytest.mark.parametrize("taps", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("channels", [5, 8])
@pytest.mark.parametrize("without", [(), ("state",), ("bias", "state")], ids=str)
def test_conv(backend: CudaBackend, taps: int, channels: int, without: tuple[str, ...]) -> None:
    for length in (1, 2, 16, 33):
        for reverse in (False, True):
            arguments = conv_arguments(2, length, channels, taps) | {"reverse": reverse, "mask": random_mask(2, length)}
            arguments = {n: x for n, x in arguments.items() if n not in without}
            assert_close(results(backend, "causal_conv", arguments), results(PORTABLE, "causal_conv", arguments))


VERSIONS = [("1.0.1", "1.0.0"), ("1.2.0.post1", "1.1.3.post1"), ("1.2.2", "1.2.0.post2"), ("2.0.4", "1.4.0")]
VERSIONS += [("2.2.6.post3", "1.5.3.post1"), ("2.3.2.post1", "1.7.0")]


@pytest.mark.parametrize(("mamba", "conv"), VERSIONS)
def test_every_version(make: Callable[..., CudaBackend], calls: Calls, mamba: str, conv: str) -> None:
    """Functions are found where each version has them and called by names that each version knows."""
    backend = make(mamba, conv)
    for kernel, arguments in (
        ("selective_scan", scan_arguments(2, 40, 5, 3) | {"reverse": True}),
        ("causal_conv", conv_arguments(2, 40, 8, 4) | {"reverse": True}),
        ("add_norm", norm_arguments(5, 7)),
        ("add_norm", norm_arguments(5, 7) | {"kind": "layer"}),
    ):
        assert_close(results(backend, kernel, arguments), results(PORTABLE, kernel, arguments))
    assert all(calls[name] for name in ("scan_fwd", "scan_bwd", "conv_fwd", "conv_bwd", "norm"))


@pytest.mark.parametrize(
    ("x", "residual"), [("float32", "bfloat16"), ("bfloat16", "float32"), ("bfloat16", "bfloat16")]
)
def test_the_residual_keeps_the_wider_dtype(backend: CudaBackend, x: str, residual: str) -> None:
    arguments = norm_arguments(5, 7)
    arguments |= {
        "x": arguments["x"].to(getattr(torch, x)),
        "residual": arguments["residual"].to(getattr(torch, residual)),
    }
    found, expected = (b.add_norm(**arguments) for b in (backend, PORTABLE))
    assert [y.dtype for y in found] == [y.dtype for y in expected]
    assert torch.equal(found[1], expected[1])
    torch.testing.assert_close(found[0], expected[0], rtol=1e-2, atol=1e-2)


def test_without_triton_the_norm_is_torch(make: Callable[..., CudaBackend], site: Any, calls: Calls) -> None:
    site.install("mamba-ssm")
    site.write("mamba_ssm/ops/triton/layer_norm.py", "import triton_that_is_not_there\n")
    site.install("causal-conv1d")
    arguments = norm_arguments(5, 7)
    assert_same(results(CudaBackend(), "add_norm", arguments), results(PORTABLE, "add_norm", arguments))
    assert calls["norm"] == []


def test_the_state_costs_nothing_unless_it_is_differentiated(backend: CudaBackend, calls: Calls) -> None:
    arguments = scan_arguments(2, 40, 5, 3) | {"state": None}
    arguments["u"].requires_grad_()
    y, last = backend.selective_scan(**arguments)
    y.sum().backward(retain_graph=True)
    assert (len(calls["scan_fwd"]), len(calls["scan_bwd"])) == (1, 1)
    last.sum().backward()
    assert (len(calls["scan_fwd"]), len(calls["scan_bwd"])) == (2, 2)


def test_channels_side_by_side_are_read_in_place(backend: CudaBackend, calls: Calls) -> None:
    """x as a mixer has it: half of the columns of a product, in no copy; walking back, in one."""
    product = torch.randn(2, 24, 32)
    x, _ = product.chunk(2, dim=-1)
    backend.causal_conv(x, torch.randn(16, 4), activation="silu")
    backend.causal_conv(x, torch.randn(16, 4), activation="silu", reverse=True)
    there, back = (call[0] for call in calls["conv_fwd"])
    assert there.data_ptr() == product.data_ptr()
    assert there.stride() == (24 * 32, 1, 32)
    assert (tuple(back.shape), back.stride()) == ((2, 16, 27), (27 * 16, 1, 16))


@pytest.mark.parametrize("kernel", ["selective_scan", "causal_conv"])
def test_odd_addresses(backend: CudaBackend, kernel: str) -> None:
    """Of arguments and of gradients: slices of larger tensors that vector loads cannot read."""
    arguments = scan_arguments(1, 128, 8, 4) if kernel == "selective_scan" else conv_arguments(1, 128, 8, 4)
    off = {n: _shifted(x) if isinstance(x, Tensor) else x for n, x in arguments.items()}
    assert_same(results(backend, kernel, off), results(backend, kernel, arguments))
    del arguments["state"]  # with it y is a slice, whose gradient torch copies
    x = arguments["u" if kernel == "selective_scan" else "x"].requires_grad_()
    y, _ = getattr(backend, kernel)(**arguments)
    gradient = torch.randn(1, 8, 131)
    (found,) = torch.autograd.grad(y, x, gradient[..., 3:].transpose(1, 2), retain_graph=True)
    (expected,) = torch.autograd.grad(y, x, gradient[..., 3:].transpose(1, 2).contiguous())
    assert torch.equal(found, expected)


def _shifted(x: Tensor) -> Tensor:
    return torch.cat([x.new_zeros(1), x.detach().flatten()])[1:].view(x.shape)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(backend: CudaBackend, calls: Calls, dtype: torch.dtype) -> None:
    """Parameters and states in float32, all else in the dtype given, as far as the state allows."""
    arguments = scan_arguments(2, 33, 8, 4)
    half = {n: x.to(dtype) if n in ("u", "dt", "B", "C", "z") else x for n, x in arguments.items()}
    y, last = backend.selective_scan(**half | {"state": None})
    assert (y.dtype, last.dtype) == (dtype, torch.float32)
    assert [x.dtype for x in calls["scan_fwd"][0]] == [dtype] * 2 + [torch.float32] + [dtype] * 2 + [
        torch.float32,
        dtype,
        torch.float32,
    ]
    y, last = backend.selective_scan(**half)
    assert (y.dtype, last.dtype) == (dtype, torch.float32)
    assert {x.dtype for x in calls["scan_fwd"][1]} == {torch.float32}
    wide = PORTABLE.selective_scan(**{n: x.float() if isinstance(x, Tensor) else x for n, x in half.items()})
    torch.testing.assert_close(y.float(), wide[0], rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(last, wide[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_masked_steps_are_exactly_zero(backend: CudaBackend, calls: Calls, dtype: torch.dtype) -> None:
    """With the softplus left to the kernel, whatever the bias, in every dtype."""
    arguments = {n: x for n, x in scan_arguments(1, 8, 3, 2).items() if n != "state"}
    given = {n: x.to(dtype) if n in ("u", "dt", "B", "C", "z") else x for n, x in arguments.items()}
    mask = random_mask(1, 8)
    for n in ("u", "dt", "B"):
        given[n] = given[n].masked_fill(~mask.unsqueeze(2), float("nan"))
    y, last = backend.selective_scan(**given | {"dt_bias": torch.tensor([-90.0, 0.0, 90.0])}, mask=mask)
    _, delta, *_, bias = calls["scan_fwd"][0]
    steps = torch.nn.functional.softplus(delta.float() + bias[:, None], threshold=20.0)
    assert (steps[:, 1:, mask[0]] > 0).all()
    assert (steps[:, :, ~mask[0]] == 0).all()
    assert y[mask].isfinite().all()
    assert last.isfinite().all()


@pytest.mark.parametrize("kernel", ["selective_scan", "causal_conv", "add_norm"])
def test_second_derivatives_are_refused(backend: CudaBackend, kernel: str) -> None:
    arguments = {
        "selective_scan": scan_arguments(1, 4, 3, 2),
        "causal_conv": conv_arguments(1, 4, 3, 2),
        "add_norm": norm_arguments(4, 3),
    }[kernel]
    x = arguments["u" if kernel == "selective_scan" else "x"].requires_grad_()
    first, second = getattr(backend, kernel)(**arguments)
    (gradient,) = torch.autograd.grad(first.square().sum() + second.square().sum(), x, create_graph=True)
    (plain,) = torch.autograd.grad(sum(y.square().sum() for y in getattr(backend, kernel)(**arguments)), x)
    assert torch.equal(gradient, plain)
    with pytest.raises(NotImplementedError, match=f"no second derivative of {kernel}.*backend='torch'"):
        gradient.square().sum().backward()
