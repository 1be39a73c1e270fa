"""The kernels of the CUDA backend; `caduceus.interfaces` has their formulas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from caduceus.backends.cuda import conv, mamba, norm, probe, scan, tensors
from caduceus.backends.cuda.functions import CONV, SCAN, Functions, find, find_norm
from caduceus.backends.cuda.once import differentiable_once
from caduceus.backends.registry import BackendUnavailable
from caduceus.backends.torch import TorchBackend
from caduceus.interfaces import FusedMamba, MambaDirection
from caduceus.shapes import check_conv, check_norm, check_scan


class CudaBackend:
    """`selective_scan_fn` of mamba-ssm and `causal_conv1d_fn` of causal-conv1d on one GPU; differentiable once.

    The kernels compute in float32 inside and return the dtype of their input; parameters and states are float32
    whatever the rest is. The sums over channels in the backward of the scan are atomic: gradients differ in the last
    bits from run to run.
    """

    name = "cuda"
    dtypes: tuple[str, ...] = tensors.DTYPES
    deterministic = False
    most_states = 256
    most_taps = 4

    def __init__(self) -> None:
        """Raises `BackendUnavailable`, with what is missing, where it cannot run."""
        if (missing := probe.missing()) is not None:
            raise BackendUnavailable(f"backend 'cuda' cannot run here: {missing}\n{probe.instructions()}")
        scan_function, conv_function = find(SCAN), find(CONV)
        assert scan_function is not None
        assert conv_function is not None
        self._functions = Functions(scan_function, conv_function, find_norm())

    @property
    def device(self) -> str:
        """The device type it computes on."""
        return tensors.DEVICE

    def replaced(self, d_conv: int) -> str | None:
        """What plain torch operations do instead for a convolution of so many taps, or None; asked when a model is
        built."""
        if d_conv <= self.most_taps:
            return None
        return f"causal-conv1d has 1 to {self.most_taps} taps: the convolution of {d_conv} is plain torch operations"

    def selective_scan(
        self,
        u: Tensor,
        dt: Tensor,
        A: Tensor,
        B: Tensor,
        C: Tensor,
        D: Tensor | None = None,
        z: Tensor | None = None,
        dt_bias: Tensor | None = None,
        dt_softplus: bool = False,
        reverse: bool = False,
        state: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """See `caduceus.interfaces.Scan`. Backwards it walks along flipped copies; a state to begin with takes N more
        steps, in float32. At masked positions y lacks D u, which may be NaN there."""
        check_scan(u, dt, A, B, C, D, z, dt_bias, state, mask)
        tensors.expect_on_gpu(u=u, dt=dt, A=A, B=B, C=C, D=D, z=z, dt_bias=dt_bias, state=state, mask=mask)
        tensors.working_dtype(u=u, dt=dt, A=A, B=B, C=C, D=D, z=z, dt_bias=dt_bias, state=state)
        if A.shape[1] > self.most_states:
            raise ValueError(
                f"A has {A.shape[1]} states a channel, expected at most {self.most_states}; backend='torch' takes any "
                "number"
            )
        if u.numel() == 0:
            return TorchBackend.selective_scan(u, dt, A, B, C, D, z, dt_bias, dt_softplus, reverse, state, mask)
        tensor_arguments = (u, dt, A, B, C, D, z, dt_bias, state)
        u, dt, A, B, C, D, z, dt_bias, state = differentiable_once("selective_scan", *tensor_arguments)
        with torch.autocast(u.device.type, enabled=False):
            arranged = scan.arrange(u, dt, A, B, C, D, z, dt_bias, dt_softplus, reverse, mask)
            y, last = scan.scan(self._functions.scan, arranged, state)
            return scan.unwalk(y, reverse).to(u.dtype), last

    def causal_conv(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        activation: Literal["silu"] | None = None,
        reverse: bool = False,
        state: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """See `caduceus.interfaces.Backend.causal_conv`."""
        check_conv(x, weight, bias, activation, state, mask)
        tensors.expect_on_gpu(x=x, weight=weight, bias=bias, state=state, mask=mask)
        tensors.working_dtype(x=x, weight=weight, bias=bias, state=state)
        if x.numel() == 0 or weight.shape[1] > self.most_taps:
            return TorchBackend.causal_conv(x, weight, bias, activation, reverse, state, mask)
        x, weight, bias, state = differentiable_once("causal_conv", x, weight, bias, state)
        with torch.autocast(x.device.type, enabled=False):
            if mask is not None:
                x = x.masked_fill(~mask.unsqueeze(2), 0.0)
            return conv.convolve(self._functions.conv, x, weight, bias, activation, reverse, state)

    def add_norm(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        residual: Tensor | None = None,
        eps: float = 1e-5,
        kind: Literal["rms", "layer"] = "rms",
    ) -> tuple[Tensor, Tensor]:
        """See `caduceus.interfaces.Backend.add_norm`. The residual keeps the wider of the two dtypes."""
        check_norm(x, weight, bias, residual, kind)
        tensors.expect_on_gpu(x=x, weight=weight, bias=bias, residual=residual)
        tensors.working_dtype(x=x, weight=weight, bias=bias, residual=residual)
        if self._functions.norm is None or x.numel() == 0:
            return TorchBackend.add_norm(x, weight, bias, residual, eps, kind)
        x, weight, bias, residual = differentiable_once("add_norm", x, weight, bias, residual)
        with torch.autocast(x.device.type, enabled=False):
            return norm.add_norm(self._functions.norm, x, weight, bias, residual, eps, kind)

    def fused_mamba(self, *, d_state: int, d_conv: int) -> FusedMamba | None:
        """See `caduceus.interfaces.Fuses`."""
        return self.mamba if d_state <= self.most_states and d_conv <= self.most_taps else None

    def mamba(
        self,
        h: Tensor,
        in_proj: Tensor,
        in_bias: Tensor | None,
        out_proj: Tensor,
        out_bias: Tensor | None,
        directions: Sequence[MambaDirection],
        mask: Tensor | None = None,
    ) -> Tensor:
        """See `caduceus.interfaces.FusedMamba`."""
        weights = {"in_proj": in_proj, "in_bias": in_bias, "out_proj": out_proj, "out_bias": out_bias}
        for i, direction in enumerate(directions):
            named = zip(direction._fields[:-1], direction[:-1], strict=True)
            weights |= {f"{name} of direction {i}": weight for name, weight in named}
        tensors.expect_on_gpu(h=h, mask=mask, **weights)
        tensors.working_dtype(h=h, **weights)
        if h.numel() == 0:
            return h.clone()
        h, in_proj, in_bias, out_proj, out_bias, *inner = differentiable_once("the Mamba mixers", h, *weights.values())
        parts = [inner[i : i + 7] for i in range(0, len(inner), 7)]
        guarded = [MambaDirection._make([*part, d.reverse]) for part, d in zip(parts, directions, strict=True)]
        return mamba.mamba(self._functions, h, in_proj, in_bias, out_proj, out_bias, guarded, mask)
