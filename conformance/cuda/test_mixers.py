"""Whole mixers and models on the CUDA backend: the fused path, autocast, and what is said when one is built."""

from __future__ import annotations

import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.backends.cuda import CudaBackend
from caduceus.backends.torch import TorchBackend
from caduceus.conformance.cpu.examples import assert_close, random_mask
from caduceus.conformance.cuda.stand_ins import Calls
from caduceus.conformance.cuda.watch import with_gradients

PORTABLE = TorchBackend()


def model_spec(d_conv: int = 4) -> parts.Model:
    mixer = parts.BiMamba(mamba=parts.Mamba(d_conv=d_conv))
    return parts.Model(embedding=parts.Embedding(d_model=8), mixers=[mixer], head=parts.MaskedLM(), n_as="pad")


def test_a_model_under_autocast(backend: CudaBackend, calls: Calls) -> None:
    """Products in bfloat16, parameters, states and their gradients in float32."""
    model = caduceus.build(model_spec(), backend=backend)
    ids = torch.randint(7, 11, (2, 24))
    with torch.autocast("cpu", torch.bfloat16):
        y = model(ids)
    y.float().square().mean().backward()
    u, delta, A, B, C, D, z, bias = calls["scan_fwd"][0]
    assert {x.dtype for x in (u, delta, B, C, z)} == {torch.bfloat16}
    assert {x.dtype for x in (A, D, bias)} == {torch.float32}
    gradients = {n: p.grad for n, p in model.named_parameters()}
    assert all(g is not None and g.dtype == torch.float32 and bool(g.isfinite().all()) for g in gradients.values())
    assert (y.float() - model(ids)).abs().max() < 0.05


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("mixer", ["both ways", "back", "biased", "apart"])
def test_a_whole_mamba_is_its_three_kernels(backend: CudaBackend, mixer: str, batch: int) -> None:
    """Values and gradients of the fused path against the portable kernels, masked and not, at lengths of each kind."""
    spec = {
        "both ways": parts.BiMamba(),
        "back": parts.Mamba(direction="reverse", d_conv=3),
        "biased": parts.BiMamba(mamba=parts.Mamba(bias=True, conv_bias=False, d_conv=1)),
        "apart": parts.BiMamba(mamba=parts.Mamba(bias=True), fusion="multiply", tie="none"),
    }[mixer]
    model = parts.Model(equivariance="none", embedding=parts.Embedding(d_model=8), mixers=[spec])
    fused, portable = (caduceus.build(model, backend=b).mixers[0] for b in (backend, PORTABLE))
    assert all(part.fused is not None for part in fused.modules() if hasattr(part, "fused"))
    for length in (1, 13, 128):
        x = torch.randn(batch, length, 8, generator=torch.Generator().manual_seed(length))
        for mask in (None, random_mask(batch, length)):
            found, expected = (with_gradients(part, x, mask) for part in (fused, portable))
            assert_close(found, expected)


def test_a_whole_mamba_copies_flips_alone(backend: CudaBackend, calls: Calls) -> None:
    """Forwards the kernels read what the products wrote; B and C are rows of one product."""
    mixer = caduceus.build(model_spec(), backend=backend).mixers[0]
    with torch.no_grad():
        mixer(torch.randn(3, 128, 8))
    (x, *_), (x_back, *_) = calls["conv_fwd"]
    assert x.stride() == x_back.stride() == (128, 3 * 128, 1)
    for u, delta, _, B, C, _, z, _ in calls["scan_fwd"]:
        assert {t.stride() for t in (u, delta, z)} == {(128, 3 * 128, 1)}
        assert B.untyped_storage().data_ptr() == C.untyped_storage().data_ptr()
    forward = calls["scan_fwd"][0]
    assert forward[6].untyped_storage().data_ptr() == x.untyped_storage().data_ptr()


def test_second_derivatives_of_a_model_are_refused(backend: CudaBackend) -> None:
    model = caduceus.build(model_spec(), backend=backend)
    (gradient,) = torch.autograd.grad(
        model(torch.randint(7, 11, (1, 9))).square().mean(), model.embedding.weight, create_graph=True
    )
    with pytest.raises(NotImplementedError, match=r"no second derivative of .*backend='torch'"):
        gradient.square().sum().backward()


def test_a_model_with_more_taps_says_so_when_it_is_built(
    backend: CudaBackend, calls: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    ids = torch.randint(7, 11, (2, 9))
    plain, long = (caduceus.build(model_spec(d_conv), backend=backend) for d_conv in (4, 6))
    said = [record.getMessage() for record in caplog.records]
    assert said == ["backend cuda: causal-conv1d has 1 to 4 taps: the convolution of 6 is plain torch operations"]
    plain(ids)
    assert calls["conv_fwd"]
    calls["conv_fwd"].clear()
    expected = caduceus.build(model_spec(6), backend="torch")(ids)
    torch.testing.assert_close(long(ids), expected, rtol=0, atol=1e-6)
    assert not calls["conv_fwd"]
