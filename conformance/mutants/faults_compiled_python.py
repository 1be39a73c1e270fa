"""Faults of the compiled backend's Python: what it hands to the kernels and makes of what they give."""

from __future__ import annotations

from caduceus.conformance.mutants.mutant import Mutant

CPU = "caduceus.backends.cpu."

FAULTS = (
    Mutant(
        "compiled scan: states are given with channels first",
        CPU + "scan:_by_states",
        ("state.transpose(1, 2).contiguous()", "state.contiguous()"),
        killers=("compiled scan values", "compiled scan gradients"),
    ),
    Mutant(
        "compiled scan: dC is that of the first group of channels",
        CPU + "scan:_backward",
        ("dC.sum(0)", "dC[0]"),
        killers=("compiled kernels on threads",),
        missed_by=("compiled scan gradients",),
    ),
    Mutant(
        "compiled convolution: the taps' gradient is that of the first part",
        CPU + "conv:_backward",
        ("dweight.sum(0)", "dweight[0]"),
        killers=("compiled kernels on threads",),
        missed_by=("compiled convolution gradients",),
    ),
    Mutant(
        "compiled norm: the backward starts from x without the residual",
        CPU + "norm:_keep",
        ("x if residual is None else output[1]", "x"),
        killers=("compiled norm gradients",),
        missed_by=("compiled norm values",),
    ),
    Mutant(
        "compiled Mamba: the gradient of out_proj's bias is that of one direction",
        CPU + "mamba:_differentiate",
        (" * len(ctx.reverse)", ""),
        killers=("compiled Mamba gradients",),
        missed_by=("compiled Mamba values",),
    ),
    Mutant(
        "compiled Mamba: the gradient of in_proj's bias is a row of the matrix's",
        CPU + "mamba:_backward",
        ("d_in[outer]", "d_in[0]"),
        killers=("compiled Mamba gradients",),
    ),
    Mutant(
        "compiled Mamba: what is masked reaches in_proj",
        CPU + "kernels:CpuBackend.mamba",
        ("h if mask is None else h.masked_fill(~mask.unsqueeze(2), 0.0)", "h"),
        killers=("compiled Mamba masks",),
        missed_by=("compiled Mamba values",),
    ),
    Mutant(
        "compiled Mamba: it writes where masked",
        CPU + "kernels:CpuBackend.mamba",
        ("out if mask is None else out.masked_fill(~mask.unsqueeze(2), 0.0)", "out"),
        killers=("compiled Mamba values", "compiled Mamba masks"),
    ),
)
