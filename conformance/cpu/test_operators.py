"""The operators as torch sees them, and the library behind them: tracing, refusals, and which instruction set runs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from caduceus.backends.cpu import CpuBackend, compile, library
from caduceus.backends.cpu.conv import conv_backward, conv_forward
from caduceus.backends.cpu.norm import norm_backward, norm_forward
from caduceus.backends.cpu.scan import scan_backward, scan_forward
from caduceus.conformance.cpu.examples import (
    assert_same,
    conv_arguments,
    norm_arguments,
    random_mask,
    results,
    scan_arguments,
)

SCAN_ORDER = ("u", "dt", "A", "B", "C", "D", "z", "dt_bias", "state", "mask")


def test_operators_are_sound(backend: CpuBackend) -> None:
    """Schemas, shapes for tracing, and registration of derivatives, as torch's own check has them."""
    isa = backend.isa.number
    scan = scan_arguments(1, 34, 3, 2) | {"mask": random_mask(1, 34)}
    full = [scan[name] for name in SCAN_ORDER]
    bare = [None if name in ("D", "z", "dt_bias", "state", "mask") else scan[name] for name in SCAN_ORDER]
    for tensors in (full, bare):
        inputs = [None if x is None or x.dtype == torch.bool else x.requires_grad_() for x in tensors]
        inputs[9] = tensors[9]
        torch.library.opcheck(scan_forward, (*inputs, True, False, True, isa))
        y, _, checkpoints = scan_forward(*inputs, True, False, True, isa)
        saved = [None if x is None else x.detach() for x in (*inputs[:8], inputs[9])]
        gradient = (torch.ones_like(y).detach(), None, *saved, checkpoints.detach(), True, False, isa)
        torch.library.opcheck(scan_backward, gradient)
    x, weight, bias, state = (conv_arguments(1, 9, 3, 4)[n].requires_grad_() for n in ("x", "weight", "bias", "state"))
    torch.library.opcheck(conv_forward, (x, weight, bias, state, None, True, False, isa))
    plain = [v.detach() for v in (x, x, weight, bias, state)]
    torch.library.opcheck(conv_backward, (plain[0], None, *plain[1:], None, True, False, isa))
    norm = norm_arguments(5, 3)
    h, r, w, b = (norm[n].requires_grad_() for n in ("x", "residual", "weight", "bias"))
    torch.library.opcheck(norm_forward, (h, r, w, b, 1e-5, True, isa))
    torch.library.opcheck(norm_backward, (h.detach(), None, r.detach(), w.detach(), 1e-5, True, isa))


def test_export_keeps_the_operators(backend: CpuBackend) -> None:
    class Layer(torch.nn.Module):
        def forward(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
            return backend.causal_conv(x, weight, activation="silu")[0]

    arguments = conv_arguments(1, 40, 6, 4)
    inputs = (arguments["x"], arguments["weight"])
    exported = torch.export.export(Layer(), inputs)
    assert any("cpu_conv" in str(node.target) for node in exported.graph.nodes)
    assert torch.equal(exported.module()(*inputs), Layer()(*inputs))


@pytest.mark.parametrize("kernel", ["selective_scan", "causal_conv", "add_norm"])
def test_second_derivatives_are_refused(backend: CpuBackend, kernel: str) -> None:
    arguments = {
        "selective_scan": scan_arguments(1, 4, 3, 2),
        "causal_conv": conv_arguments(1, 4, 3, 2),
        "add_norm": norm_arguments(4, 3),
    }[kernel]
    name = "u" if kernel == "selective_scan" else "x"
    arguments[name].requires_grad_()
    (first,) = torch.autograd.grad(getattr(backend, kernel)(**arguments)[0].sum(), arguments[name], create_graph=True)
    with pytest.raises(NotImplementedError, match=f"no second derivative of {kernel}.*backend='torch'"):
        first.square().sum().backward()


def test_half_precision_is_computed_in_float32(backend: CpuBackend) -> None:
    arguments = scan_arguments(1, 20, 5, 3)
    half = {n: x.bfloat16() if isinstance(x, torch.Tensor) else x for n, x in arguments.items()}
    wide = {n: x.float() if isinstance(x, torch.Tensor) else x for n, x in half.items()}
    (y, last), (expected, expected_last) = backend.selective_scan(**half), backend.selective_scan(**wide)
    assert (y.dtype, last.dtype) == (torch.bfloat16, torch.float32)
    assert torch.equal(y, expected.bfloat16())
    assert torch.equal(last, expected_last)


def test_tensors_elsewhere_are_refused(backend: CpuBackend) -> None:
    arguments = {n: x.to("meta") if isinstance(x, torch.Tensor) else x for n, x in scan_arguments(1, 2, 3, 4).items()}
    with pytest.raises(ValueError, match="received a tensor on meta; use backend='torch'"):
        backend.selective_scan(**arguments)


def test_instruction_sets_agree(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.ISA_VARIABLE, isa)
    assert CpuBackend().isa.name == isa
    arguments = scan_arguments(1, 40, 20, 16)
    assert_same(
        results(CpuBackend(), "selective_scan", arguments), results(CpuBackend(isa), "selective_scan", arguments)
    )


def test_the_fastest_is_chosen(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(library.ISA_VARIABLE, raising=False)
    runs = [target for target in library.targets() if target.runs]
    assert CpuBackend().isa == runs[0]
    assert [t.name for t in library.targets()][-1] == "portable"
    with pytest.raises(library.LibraryUnusable, match=r"'vax' is not one of .*portable that can run here"):
        CpuBackend("vax")


def test_an_absent_library_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    load = library.library.__wrapped__
    monkeypatch.setattr(library, "PATH", tmp_path / "absent.so")
    with pytest.raises(library.LibraryUnusable, match=r"were not compiled .* where a C\+\+ compiler is present"):
        load()
    (tmp_path / "absent.so").write_text("no library")
    with pytest.raises(library.LibraryUnusable, match="cannot be loaded"):
        load()


def test_an_absent_compiler_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(compile.CompilationFailed, match=r"no C\+\+ compiler \(no-such-compiler\)"):
        compile.compile_library(tmp_path)
    monkeypatch.setenv("CXX", "false")
    with pytest.raises(compile.CompilationFailed, match=r"false .* failed"):
        compile.compile_library(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_code_is_shared_between_instruction_sets(isa: str) -> None:
    """A function that the linker merges could be the copy with instructions that this processor lacks."""
    if shutil.which("nm") is None:
        pytest.skip("not run: no nm")
    listing = subprocess.run(["nm", "-C", str(library.PATH)], capture_output=True, text=True, check=True).stdout
    # Threads are started by parallel.cpp alone, which is compiled for any processor.
    lines = [line for line in listing.splitlines() if "std::thread" not in line]
    assert [line for line in lines if line[17:18] in "WVu" and "::" in line] == []
