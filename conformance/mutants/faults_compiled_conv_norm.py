"""Faults of the compiled convolution and norm."""

from __future__ import annotations

from caduceus.conformance.mutants.compiled import KernelFault

FAULTS = (
    KernelFault(
        "compiled convolution: the given state is ignored",
        "conv.h",
        ("if (i < 0) return before +", "if (i < 0) return FAULT ? weights.zeros : before +"),
        killers=("compiled convolution values", "compiled convolution gradients", "compiled splits"),
    ),
    KernelFault(
        "compiled convolution: the mask is forgotten",
        "conv.h",
        ("if (i >= a.length || !valid(i)) return", "if (i >= a.length || (!valid(i) && !FAULT)) return"),
        killers=("compiled convolution values", "compiled convolution gradients", "compiled masks"),
    ),
    KernelFault(
        "compiled convolution: the state returned is the one after the last step",
        "conv.h",
        ("conv.input(a.length - a.taps + 1 + k)", "conv.input(a.length - a.taps + 1 + k + FAULT)"),
        killers=("compiled convolution values", "compiled convolution gradients", "compiled splits"),
    ),
    KernelFault(
        "compiled convolution: a step between two chunks is left out",
        "conv.h",
        ("length * (index + 1) / chunks)", "length * (index + 1) / chunks - (FAULT && index + 1 < chunks))"),
        killers=("compiled kernels on threads",),
        missed_by=("compiled convolution values", "compiled convolution gradients"),
    ),
    KernelFault(
        "compiled convolution: no bias",
        "conv.h",
        ("V p = load(bias + c * W);", "V p = FAULT ? V{} : load(bias + c * W);"),
        killers=("compiled convolution values", "compiled convolution gradients"),
    ),
    KernelFault(
        "compiled convolution: the last tap is left out",
        "conv.h",
        ("for (int64_t k = 0; k < K; k++) p = fma(", "for (int64_t k = 0; k < K - FAULT; k++) p = fma("),
        killers=("compiled convolution values", "compiled convolution gradients"),
    ),
    KernelFault(
        "compiled convolution, backward: steps of the next chunk count twice",
        "conv_backward.h",
        ("own = i < steps.last;", "own = i < steps.last || FAULT;"),
        killers=("compiled Mamba gradients",),
        missed_by=("compiled convolution gradients",),
    ),
    KernelFault(
        "compiled convolution, backward: the last tap's reach is forgotten",
        "conv_backward.h",
        (
            "for (int64_t i = steps.last + K - 2; i >= first; i--)",
            "for (int64_t i = steps.last + (FAULT ? -1 : K - 2); i >= first; i--)",
        ),
        killers=("compiled convolution gradients",),
    ),
    KernelFault(
        "compiled convolution, backward: the returned state's gradient is ignored",
        "conv_backward.h",
        ("*more = kept >= 0 ?", "*more = kept >= 0 && !FAULT ?"),
        killers=("compiled convolution gradients",),
    ),
    KernelFault(
        "compiled convolution, backward: masked inputs have a gradient",
        "conv_backward.h",
        ("if (i >= 0 && !conv.valid(i)) {", "if (i >= 0 && !conv.valid(i) && !FAULT) {"),
        killers=("compiled convolution gradients", "compiled masks"),
    ),
    KernelFault(
        "compiled convolution, backward: the slope of the SiLU",
        "conv_backward.h",
        ("g = g * (sig * fma(p, 1 - sig,", "g = g * (sig * fma(p, FAULT ? sig : 1 - sig,"),
        killers=("compiled convolution gradients",),
    ),
    KernelFault(
        "compiled convolution, backward: taps are not reversed",
        "conv_backward.h",
        ("load(weights + (taps - 1 - j) * stride", "load(weights + (FAULT ? j : taps - 1 - j) * stride"),
        killers=("compiled convolution gradients",),
    ),
    KernelFault(
        "compiled norm: no eps",
        "norm.h",
        ("+ T(a.eps));", "+ (FAULT ? T(0) : T(a.eps)));"),
        killers=("compiled norm values", "compiled norm gradients"),
    ),
    KernelFault(
        "compiled norm: of x without the residual",
        "norm.h",
        ("h = total;", "h = FAULT ? x : total;"),
        killers=("compiled norm values", "compiled norm gradients"),
    ),
    KernelFault(
        "compiled norm: the last of 64 rows is left out",
        "norm.h",
        ("row < smaller(a.rows, (i + 1) * rows);", "row < smaller(a.rows, (i + 1) * rows - FAULT);"),
        killers=("compiled norm values", "compiled norm gradients"),
    ),
    KernelFault(
        "compiled norm, backward: the residual stream has no gradient of its own",
        "norm.h",
        ("if (dtotal != nullptr) dh = dh +", "if (dtotal != nullptr && !FAULT) dh = dh +"),
        killers=("compiled norm gradients",),
    ),
    KernelFault(
        "compiled norm, backward: the mean is a constant",
        "norm.h",
        ("mean_g = a.centred ?", "mean_g = a.centred && !FAULT ?"),
        killers=("compiled norm gradients",),
    ),
    KernelFault(
        "compiled norm, backward: parts of the rows begin one late",
        "norm.h",
        ("for (int64_t row = a.rows * i / g.parts;", "for (int64_t row = a.rows * i / g.parts + (FAULT && i > 0);"),
        killers=("compiled kernels on threads",),
        missed_by=("compiled norm gradients",),
    ),
)
