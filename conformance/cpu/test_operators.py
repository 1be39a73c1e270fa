"""The operators as torch sees them: tracing, narrower dtypes, refusals."""

from __future__ import annotations

import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.backends.cpu import CpuBackend
from caduceus.backends.cpu.conv import conv_backward, conv_forward
from caduceus.backends.cpu.mamba import mamba_backward, mamba_forward
from caduceus.backends.cpu.norm import norm_backward, norm_forward
from caduceus.backends.cpu.scan import scan_backward, scan_forward
from caduceus.conformance.cpu.examples import (
    Arguments,
    call,
    conv_arguments,
    norm_arguments,
    random_mask,
    results,
    scan_arguments,
)
from caduceus.conformance.cpu.mamba import PROJECTIONS, WEIGHTS, Size, mamba_arguments
from caduceus.interfaces import MambaDirection

SCAN_ORDER = ("u", "dt", "A", "B", "C", "D", "z", "dt_bias", "state", "mask")


def test_operators_are_sound(fastest: CpuBackend) -> None:
    """Schemas, shapes for tracing, and registration of derivatives, as torch's own check has them."""
    isa = fastest.isa.number
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


@pytest.mark.parametrize(("walks", "biased"), [((False, True), True), ((True,), False)])
def test_a_mamba_is_a_sound_operator(fastest: CpuBackend, walks: tuple[bool, ...], biased: bool) -> None:
    arguments = mamba_arguments(Size(2, 34, 2, 3, 2, 3, 1, walks)) | {"mask": random_mask(2, 34) if biased else None}
    arguments |= {} if biased else {"in_bias": None, "out_bias": None}
    names = ["h", "mask", *PROJECTIONS, *(f"{name}.{i}" for i in range(len(walks)) for name in WEIGHTS)]
    tensors = [x if x is None or x.dtype == torch.bool else x.requires_grad_() for x in map(arguments.get, names)]
    inputs, target = (*tensors[:6], tensors[6:], list(walks)), fastest.isa.number
    torch.library.opcheck(mamba_forward, (*inputs, True, target))
    out, *kept = (x.detach() for x in mamba_forward(*inputs, True, target))
    still = [None if x is None else x.detach() for x in tensors]
    torch.library.opcheck(mamba_backward, (out, *still[:6], still[6:], kept, list(walks), target))


def test_export_keeps_the_operators(fastest: CpuBackend) -> None:
    class Layer(torch.nn.Module):
        def forward(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
            return fastest.causal_conv(x, weight, activation="silu")[0]

    arguments = conv_arguments(1, 40, 6, 4)
    inputs = (arguments["x"], arguments["weight"])
    exported = torch.export.export(Layer(), inputs)
    assert any("cpu_conv" in str(node.target) for node in exported.graph.nodes)
    assert torch.equal(exported.module()(*inputs), Layer()(*inputs))


def test_a_mixer_is_exported_and_traced_as_one_operator(fastest: CpuBackend) -> None:
    spec = parts.Model(embedding=parts.Embedding(d_model=6), mixers=[parts.BiMamba()])
    mixer = caduceus.build(spec, backend=fastest).mixers[0]
    inputs = (torch.randn(2, 40, 6, generator=torch.Generator().manual_seed(0)), random_mask(2, 40))
    exported = torch.export.export(mixer, inputs)
    operators = {str(node.target) for node in exported.graph.nodes}
    assert "caduceus.cpu_mamba.default" in operators
    assert not any("cpu_scan" in name or "mm" in name for name in operators)
    assert torch.equal(exported.module()(*inputs), mixer(*inputs))
    traced = torch.compile(mixer, backend="aot_eager", fullgraph=True)
    weights = [*mixer.parameters()]
    found, wanted = (torch.autograd.grad(m(*inputs).square().sum(), weights) for m in (traced, mixer))
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize(
    ("kernel", "by", "arguments", "named"),
    [
        ("selective_scan", "u", scan_arguments(1, 4, 3, 2), "selective_scan"),
        ("causal_conv", "x", conv_arguments(1, 4, 3, 2), "causal_conv"),
        ("add_norm", "x", norm_arguments(4, 3), "add_norm"),
        ("mamba", "h", mamba_arguments(Size()), "the Mamba mixers"),
    ],
)
def test_second_derivatives_are_refused(
    backend: CpuBackend, kernel: str, by: str, arguments: Arguments, named: str
) -> None:
    variable = arguments[by].clone().requires_grad_()
    first, *_ = call(backend, kernel, arguments | {by: variable})
    (gradient,) = torch.autograd.grad(first.square().sum(), variable, create_graph=True)
    with pytest.raises(NotImplementedError, match=f"no second derivative of {named}.*backend='torch'"):
        gradient.square().sum().backward()


def test_half_precision_is_computed_in_float32(backend: CpuBackend) -> None:
    arguments = scan_arguments(1, 20, 5, 3)
    half = {n: x.bfloat16() if isinstance(x, torch.Tensor) else x for n, x in arguments.items()}
    wide = {n: x.float() if isinstance(x, torch.Tensor) else x for n, x in half.items()}
    (y, last), (expected, expected_last) = backend.selective_scan(**half), backend.selective_scan(**wide)
    assert (y.dtype, last.dtype) == (torch.bfloat16, torch.float32)
    assert torch.equal(y, expected.bfloat16())
    assert torch.equal(last, expected_last)


@pytest.mark.parametrize("narrow", [torch.bfloat16, torch.float16])
def test_a_mamba_in_half_precision_is_computed_in_float32(backend: CpuBackend, narrow: torch.dtype) -> None:
    """Weights too; gradients come back in the dtypes of what they belong to."""
    arguments = mamba_arguments(Size(2, 40)) | {"mask": random_mask(2, 40)}
    half = {
        n: x.to(narrow) if isinstance(x, torch.Tensor) and x.is_floating_point() else x for n, x in arguments.items()
    }
    wide = {n: x.float() if isinstance(x, torch.Tensor) and x.is_floating_point() else x for n, x in half.items()}
    found, expected = results(backend, "mamba", half), results(backend, "mamba", wide)
    assert {x.dtype for x in found.values()} == {narrow}
    assert torch.equal(found["first"], expected["first"].to(narrow))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("h", (70, 6)),
        ("h", (2, 70, 5)),
        ("in_proj", (10, 6)),
        ("in_bias", (10,)),
        ("out_proj", (5, 10)),
        ("out_bias", (5,)),
        ("conv_weight.1", (10, 3)),
        ("conv_bias.0", (9,)),
        ("x_proj.0", (7, 10)),
        ("dt_proj.1", (10, 3)),
        ("dt_bias.1", (9,)),
        ("A.1", (10, 4)),
        ("D.0", (9,)),
        ("mask", (1, 70)),
    ],
)
def test_a_mamba_of_parts_that_do_not_fit_is_refused(fastest: CpuBackend, name: str, shape: tuple[int, ...]) -> None:
    """Its kernel would read past their ends."""
    wrong = {name: torch.ones(shape, dtype=torch.bool if name == "mask" else torch.float32)}
    with pytest.raises(ValueError, match=r" has shape \(.*\), expected \(.*\)"):
        call(fastest, "mamba", mamba_arguments(Size()) | wrong)


@pytest.mark.parametrize("walks", [(), (False, True, True)])
def test_a_mamba_has_one_direction_or_two(fastest: CpuBackend, walks: tuple[bool, ...]) -> None:
    directions = [MambaDirection(*(torch.zeros(1, 1),) * 7, reverse=reverse) for reverse in walks]
    with pytest.raises(ValueError, match=f"directions are {len(walks)}, expected 1 or 2"):
        fastest.mamba(torch.zeros(1, 1, 1), None, None, None, None, directions)


def test_tensors_elsewhere_are_refused(backend: CpuBackend) -> None:
    arguments = {n: x.to("meta") if isinstance(x, torch.Tensor) else x for n, x in scan_arguments(1, 2, 3, 4).items()}
    with pytest.raises(ValueError, match="received a tensor on meta; use backend='torch'"):
        backend.selective_scan(**arguments)
    whole = mamba_arguments(Size())
    with pytest.raises(ValueError, match="received a tensor on meta; use backend='torch'"):
        call(backend, "mamba", whole | {"h": whole["h"].to("meta")})
