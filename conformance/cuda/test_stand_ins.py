"""The stand-ins refuse what the real functions refuse, so that what passes them is fit for a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from caduceus.backends.cuda import functions
from caduceus.conformance.cuda import real, stand_ins
from caduceus.conformance.cuda.site import Site

Arguments = dict[str, Any]


def scan_arguments(length: int = 128) -> Arguments:
    """What `selective_scan_fn` takes, laid out as it wants it."""
    wide, narrow = (2, 8, length), (2, 4, length)
    return {
        **{name: torch.randn(wide) for name in ("u", "delta", "z")},
        **{name: torch.randn(narrow) for name in ("B", "C")},
        "A": -torch.rand(8, 4),
        "D": torch.randn(8),
        "delta_bias": torch.randn(8),
    }


def conv_arguments() -> Arguments:
    return {"x": torch.randn(2, 8, 16), "weight": torch.randn(8, 4), "bias": torch.randn(8)}


def not_side_by_side(x: Tensor) -> Tensor:
    """The same values with a last stride of 2."""
    return x.repeat_interleave(2, -1)[..., ::2]


def off_by_one(x: Tensor) -> Tensor:
    """The same values, beginning 4 bytes behind an address that vector loads can read."""
    memory = torch.empty(x.numel() + 1)
    return memory[1:].view(x.shape).copy_(x)


@pytest.fixture
def scan(site: Site, gpu: None) -> Callable[..., Any]:
    site.install("mamba-ssm")
    return functions.find(functions.SCAN)  # type: ignore[return-value]


@pytest.fixture
def conv(site: Site, gpu: None) -> Callable[..., Any]:
    site.install("causal-conv1d")
    return functions.find(functions.CONV)  # type: ignore[return-value]


REFUSED_BY_THE_SCAN: dict[str, tuple[Arguments, str]] = {
    "float64": ({"u": torch.randn(2, 8, 128).double()}, "Float, Half or BFloat16"),
    "A in half precision": ({"A": -torch.rand(8, 4).half()}, "weight_type is Float"),
    "two dtypes": ({"delta": torch.randn(2, 8, 128).bfloat16()}, r"delta\.scalar_type\(\)"),
    "B in another dtype": ({"B": torch.randn(2, 4, 128).half()}, r"B\.scalar_type\(\)"),
    "D in half precision": ({"D": torch.randn(8).half()}, r"D\.scalar_type\(\)"),
    "a bias in half precision": ({"delta_bias": torch.randn(8).half()}, r"delta_bias\.scalar_type\(\)"),
    "channels last": ({"u": torch.randn(2, 128, 8)}, r"must have shape"),
    "a strided bias": ({"delta_bias": not_side_by_side(torch.randn(8))}, r"delta_bias\.stride\(-1\) == 1"),
    "another device": ({"C": torch.randn(2, 4, 128, device="meta")}, r"C\.is_cuda\(\)"),
    "an odd address": ({"u": off_by_one(torch.randn(2, 8, 128))}, "misaligned address"),
    "too many states": (
        {"A": -torch.rand(8, 257), "B": torch.randn(2, 257, 128), "C": torch.randn(2, 257, 128)},
        "state dimension <= 256",
    ),
}


@pytest.mark.parametrize("what", REFUSED_BY_THE_SCAN)
def test_the_scan_refuses(scan: Callable[..., Any], what: str) -> None:
    change, message = REFUSED_BY_THE_SCAN[what]
    scan(**scan_arguments())
    with pytest.raises(RuntimeError, match=message):
        scan(**scan_arguments() | change)


REFUSED_BY_THE_CONVOLUTION: dict[str, tuple[Arguments, str]] = {
    "float64": ({"x": torch.randn(2, 8, 16).double()}, "Float, Half or BFloat16"),
    "another device": ({"x": torch.randn(2, 8, 16, device="meta")}, r"x\.is_cuda\(\)"),
    "one tap": ({"weight": torch.randn(8, 1)}, "width between 2 and 4"),
    "five taps": ({"weight": torch.randn(8, 5)}, "width between 2 and 4"),
    "a bias in another dtype": ({"bias": torch.randn(8).half()}, r"bias\.scalar_type\(\)"),
    "an odd address": ({"x": off_by_one(torch.randn(2, 8, 16))}, "misaligned address"),
    "channels last, not by eights": (
        {"x": torch.randn(2, 16, 12).transpose(1, 2), "weight": torch.randn(12, 4), "bias": torch.randn(12)},
        "divisible by 8",
    ),
    "channels last, rows not by eights": ({"x": torch.randn(2, 16, 9)[..., :8].transpose(1, 2)}, "multiples of 8"),
}


@pytest.mark.parametrize("what", REFUSED_BY_THE_CONVOLUTION)
def test_the_convolution_refuses(conv: Callable[..., Any], what: str) -> None:
    change, message = REFUSED_BY_THE_CONVOLUTION[what]
    conv(**conv_arguments())
    with pytest.raises(RuntimeError, match=message):
        conv(**conv_arguments() | change)


def test_a_cpu_is_no_gpu(scan: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_ins, "DEVICE", "cuda")
    with pytest.raises(RuntimeError, match=r"u\.is_cuda\(\)"):
        scan(**scan_arguments())


def test_the_gradient_of_the_last_state_is_lost(scan: Callable[..., Any]) -> None:
    """As in the real function; the backend must not lose it."""
    arguments = scan_arguments()
    arguments["u"].requires_grad_()
    _, last = scan(**arguments, return_last_state=True)
    (found,) = torch.autograd.grad(last.sum(), arguments["u"])
    assert not found.any()


@pytest.mark.parametrize("mamba", ["1.0.1", "2.3.2.post1"])
def test_real_packages_are_held_against_stand_ins(site: Site, mamba: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What `.ci/cuda` asks of the real ones: that they are as they were when the stand-ins were written."""
    site.install("mamba-ssm", mamba, extension=None)
    site.install("causal-conv1d", extension=None)
    real.check(site.folder)
    assert f"mamba-ssm {mamba}: mamba_ssm.ops.selective_scan_interface:selective_scan_fn takes u, delta, A" in (
        capsys.readouterr().out
    )
    text = "def causal_conv1d_fn(x, weight, activation=None, bias=None):\n    pass\n"
    site.write("causal_conv1d/causal_conv1d_interface.py", text)
    with pytest.raises(AssertionError, match="'x', 'weight', 'activation', 'bias'"):
        real.check(site.folder)
    site.write("causal_conv1d/causal_conv1d_interface.py", "")
    site.write("causal_conv1d/__init__.py", "")
    with pytest.raises(AssertionError, match="has none of causal_conv1d:causal_conv1d_fn, "):
        real.check(site.folder)
    site.install("mamba-ssm", mamba)
    with pytest.raises(AssertionError, match="is installed without its compiled kernel selective_scan_cuda"):
        real.check(site.folder)
