"""Packages on disk as pip would leave them: mamba-ssm and causal-conv1d in their versions, whole or broken.

They have the modules, the names, the signatures and the order of imports of the real ones; the compiled extensions are
modules that call `stand_ins`.
"""

from __future__ import annotations

from pathlib import Path

NEWEST = {"mamba-ssm": "2.3.2.post1", "causal-conv1d": "1.7.0"}

SCAN_EXTENSION = """
from caduceus.conformance.cuda import stand_ins


def fwd(*arguments):
    return stand_ins.scan_fwd(*arguments)


def bwd(*arguments):
    return stand_ins.scan_bwd(*arguments)
"""

CONV_EXTENSION = """
from caduceus.conformance.cuda import stand_ins


def causal_conv1d_fwd(*arguments):
    return stand_ins.conv_fwd(*arguments)


def causal_conv1d_bwd(*arguments):
    return stand_ins.conv_bwd(*arguments)
"""

SCAN_INTERFACE = '''
import selective_scan_cuda
import torch


class SelectiveScanFn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u, delta, A, B, C, D, z, delta_bias, delta_softplus, return_last_state):
        u, delta, B, C, D, z = (x if x is None or x.stride(-1) == 1 else x.contiguous() for x in (u, delta, B, C, D, z))
        ctx.flat = [x.dim() == 3 for x in (B, C)]
        B, C = (x.unsqueeze(1) if x.dim() == 3 else x for x in (B, C))
        out, states, *gated = selective_scan_cuda.fwd(u, delta, A, B, C, D, z, delta_bias, delta_softplus)
        ctx.softplus = delta_softplus
        ctx.save_for_backward(u, delta, A, B, C, D, z, delta_bias, states, out if gated else None)
        y = gated[0] if gated else out
        return (y, states[:, :, -1, 1::2]) if return_last_state else y

    @staticmethod
    def backward(ctx, dout, *ignored):
        u, delta, A, B, C, D, z, delta_bias, states, out = ctx.saved_tensors
        dout = dout if dout.stride(-1) == 1 else dout.contiguous()
        du, ddelta, dA, dB, dC, dD, dbias, *dz = selective_scan_cuda.bwd(
            u, delta, A, B, C, D, z, delta_bias, dout, states, out, None, ctx.softplus, False
        )
        dB, dC = (x.squeeze(1) if flat else x for x, flat in zip((dB, dC), ctx.flat))
        return du, ddelta, dA, dB, dC, dD, dz[0] if dz else None, dbias, None, None


def selective_scan_fn(
    u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False, return_last_state=False
):
    """The gradient of the last state is not considered in the backward pass."""
    return SelectiveScanFn.apply(u, delta, A, B, C, D, z, delta_bias, delta_softplus, return_last_state)
'''

CONV_INTERFACE = """
import causal_conv1d_cuda
import torch


class CausalConv1dFn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, activation):
        if activation not in [None, "silu", "swish"]:
            raise NotImplementedError("activation must be None, silu, or swish")
        x = x if x.stride(2) == 1 or x.stride(1) == 1 else x.contiguous()
        bias = None if bias is None else bias.contiguous()
        ctx.silu = activation is not None
        ctx.save_for_backward(x, weight, bias)
        return causal_conv1d_cuda.causal_conv1d_fwd(x, weight, bias, ctx.silu)

    @staticmethod
    def backward(ctx, dout):
        x, weight, bias = ctx.saved_tensors
        dout = dout if dout.stride(2) == 1 or dout.stride(1) == 1 else dout.contiguous()
        return *causal_conv1d_cuda.causal_conv1d_bwd(x, weight, bias, dout, ctx.silu), None


def causal_conv1d_fn(SIGNATURE):
    return CausalConv1dFn.apply(x, weight, bias, activation)
"""

NORM = """
import torch

from caduceus.conformance.cuda import stand_ins


class LayerNormFn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, residual, eps, is_rms_norm):
        ctx.shape, ctx.settings = x.shape, (eps, is_rms_norm)
        rows = [None if v is None else v.reshape(-1, v.shape[-1]) for v in (x, residual)]
        weight, bias = (None if v is None else v.contiguous() for v in (weight, bias))
        ctx.save_for_backward(rows[0], weight, bias, rows[1])
        normed, total = stand_ins.norm(rows[0], weight, bias, rows[1], *ctx.settings)
        return normed.reshape(x.shape), total.reshape(x.shape)

    @staticmethod
    def backward(ctx, *gradients):
        with torch.enable_grad():
            leaves = [None if v is None else v.detach().requires_grad_() for v in ctx.saved_tensors]
            outputs = stand_ins.norm(*leaves, *ctx.settings)
            gradients = [g.reshape(y.shape) for g, y in zip(gradients, outputs)]
            found = iter(torch.autograd.grad(outputs, [v for v in leaves if v is not None], gradients))
        dx, dweight, dbias, dresidual = (None if v is None else next(found) for v in leaves)
        dx, dresidual = (None if v is None else v.reshape(ctx.shape) for v in (dx, dresidual))
        return dx, dweight, dbias, dresidual, None, None


def layer_norm_fn(SIGNATURE):
    normed, total = LayerNormFn.apply(x, weight, bias, residual, eps, is_rms_norm)
    return (normed, total) if prenorm else normed
"""

_X1 = "x1=None, weight1=None, bias1=None, "
_DROPOUT = "dropout_p=0.0, rowscale=None, "


class Site:
    """A folder to be put on the path, with what `install` writes into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.lstrip("\n"), encoding="utf-8")

    def distribution(self, name: str, version: str) -> None:
        """What pip notes of an installed package."""
        folder = f"{name.replace('-', '_')}-{version}.dist-info"
        self.write(f"{folder}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")

    def install(self, name: str, version: str | None = None, extension: str | None = "") -> None:
        """mamba-ssm or causal-conv1d; ``extension``: the text of its compiled module instead of one that works, or None
        if there is none."""
        version = version or NEWEST[name]
        self.distribution(name, version)
        (self._mamba if name == "mamba-ssm" else self._conv)(version, extension)

    def _mamba(self, version: str, extension: str | None) -> None:
        imports = "from mamba_ssm.ops.selective_scan_interface import selective_scan_fn"
        self.write("mamba_ssm/__init__.py", f'__version__ = "{version}"\n\n{imports}\n')
        self.write("mamba_ssm/ops/__init__.py", "")
        self.write("mamba_ssm/ops/selective_scan_interface.py", SCAN_INTERFACE)
        self.write("mamba_ssm/ops/triton/__init__.py", "")
        first = version.startswith("1.")
        middle = "" if first else _X1
        dropout = "" if first else _DROPOUT
        signature = (
            f"x, weight, bias, residual=None, {middle}eps=1e-6, {dropout}prenorm=False, residual_in_fp32=False, "
            "is_rms_norm=False"
        )
        module = "layernorm" if first else "layer_norm"
        self.write(f"mamba_ssm/ops/triton/{module}.py", NORM.replace("SIGNATURE", signature))
        if extension is not None:
            self.write("selective_scan_cuda.py", extension or SCAN_EXTENSION)

    def _conv(self, version: str, extension: str | None) -> None:
        imports = "from causal_conv1d.causal_conv1d_interface import causal_conv1d_fn"
        self.write("causal_conv1d/__init__.py", f'__version__ = "{version}"\n\n{imports}\n')
        series = tuple(int(n) for n in version.split(".")[:2])
        sequences = "seq_idx=None, " if series >= (1, 1) else ""
        states = "initial_states=None, return_final_states=False, final_states_out=None, " if series >= (1, 2) else ""
        signature = f"x, weight, bias=None, {sequences}{states}activation=None"
        self.write("causal_conv1d/causal_conv1d_interface.py", CONV_INTERFACE.replace("SIGNATURE", signature))
        if extension is not None:
            self.write("causal_conv1d_cuda.py", extension or CONV_EXTENSION)
