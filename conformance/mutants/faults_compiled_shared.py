"""Faults of what the compiled kernels are made of: vectors, functions, columns, threads, products, the gate."""

from __future__ import annotations

from caduceus.conformance.mutants.compiled import KernelFault

FAULTS = (
    KernelFault(
        "compiled kernels: a reverse walk is a walk forwards",
        "task.h",
        ("return reverse ? length - 1 - i : i;", "return reverse && !FAULT ? length - 1 - i : i;"),
        killers=("compiled scan values", "compiled convolution values", "compiled splits"),
    ),
    KernelFault(
        "compiled kernels: the last, partial column of a row is left out",
        "task.h",
        ("if (channels % W != 0) f(", "if (channels % W != 0 && !FAULT) f("),
        killers=("compiled scan values", "compiled convolution values", "compiled splits", "compiled softplus"),
    ),
    KernelFault(
        "compiled kernels: long sums keep only their last part",
        "task.h",
        ("total[i] += part[i], part[i] = 0", "total[i] = (FAULT ? 0 : total[i]) + part[i], part[i] = 0"),
        killers=("compiled scan gradients", "compiled convolution gradients"),
    ),
    KernelFault(
        "compiled kernels: the sum of the lanes leaves some out",
        "vector.h",
        (
            "for (int half = WIDTH<T> / 2; half > 0; half /= 2)",
            "for (int half = WIDTH<T> / 2; half > FAULT; half /= 2)",
        ),
        killers=("compiled norm values", "compiled scan gradients"),
    ),
    KernelFault(
        "compiled kernels: lanes past the last channel count",
        "vector.h",
        (
            "if (count >= WIDTH<T>) return v;\n    Vec<T> kept{};",
            "if (count >= WIDTH<T> || FAULT) return v;\n    Vec<T> kept{};",
        ),
        killers=("compiled norm values", "compiled norm gradients"),
        missed_by=("compiled scan values",),
    ),
    KernelFault(
        "compiled kernels: decays out of range are not 0",
        "functions.h",
        ("if (SATURATE) {", "if (SATURATE && !FAULT) {"),
        killers=("compiled extreme steps",),
        missed_by=("compiled scan values",),
    ),
    KernelFault(
        "compiled kernels: a decay that is NaN is any number",
        "functions.h",
        (": product * HUGE_VALF)", ": FAULT && !(product > EXP2_RANGE) ? out[i] : product * HUGE_VALF)"),
        killers=("compiled NaN",),
        missed_by=("compiled extreme steps",),
    ),
    KernelFault(
        "compiled kernels: softplus is linear above 2 already",
        "functions.h",
        (
            "value = x > SOFTPLUS_THRESHOLD ? x : value;",
            "value = (FAULT ? x > 2.0 : x > SOFTPLUS_THRESHOLD) ? x : value;",
        ),
        killers=("compiled scan values", "compiled Mamba values", "compiled softplus"),
    ),
    KernelFault(
        "compiled kernels: the slope of the softplus is that of a negative x",
        "functions.h",
        ("slope = (x > zero ? one : t)", "slope = (x > zero && !FAULT ? one : t)"),
        killers=("compiled scan gradients", "compiled Mamba gradients"),
    ),
    KernelFault(
        "compiled kernels: the logarithm's series lacks a term",
        "functions.h",
        ("q = fma(q, w, broadcast(0.200037803f));", "q = FAULT ? q : fma(q, w, broadcast(0.200037803f));"),
        killers=("compiled scan values", "compiled Mamba values", "compiled softplus"),
    ),
    KernelFault(
        "compiled kernels: the sigmoid falls",
        "functions.h",
        ("return 1.0f / (1.0f + exp(-x));", "return 1.0f / (1.0f + exp(FAULT ? x : -x));"),
        killers=("compiled scan values", "compiled convolution values"),
    ),
    KernelFault(
        "compiled threads: the last task is left out",
        "parallel.cpp",
        (
            "for (int64_t i = 0; i < stage.tasks; i++) stage.task(",
            "for (int64_t i = 0; i < stage.tasks - (FAULT && stage.tasks > 1); i++) stage.task(",
        ),
        killers=("compiled scan values", "compiled norm values", "compiled splits"),
    ),
    KernelFault(
        "compiled threads: memory that is lacking is not spoken of when they end",
        "parallel.cpp",
        ("if (lacking > 0) throw", "if (lacking > 0 && !FAULT) throw"),
        killers=("compiled memory",),
        missed_by=("compiled kernels on threads",),
    ),
    KernelFault(
        "compiled kernels: a call without memory is said to be done",
        "dispatch.cpp",
        ("return int64_t(error.bytes);", "return FAULT ? 0 : int64_t(error.bytes);"),
        killers=("compiled memory",),
    ),
    KernelFault(
        "compiled product: depths past the first block are left out",
        "product.h",
        (
            "for (int64_t k = 0; k < depth; k += BLOCK)",
            "for (int64_t k = 0; k < (FAULT ? smaller(depth, BLOCK) : depth); k += BLOCK)",
        ),
        killers=("compiled Mamba gradients",),
    ),
    KernelFault(
        "compiled product: every panel has the bias of the first",
        "product.h",
        ("bias + column,", "bias + (FAULT ? 0 : column),"),
        killers=("compiled Mamba values", "compiled Mamba gradients"),
    ),
    KernelFault(
        "compiled product: what is there is not added to",
        "product.h",
        ("ADD ? load(to, left) + sum[i][j]", "ADD && !FAULT ? load(to, left) + sum[i][j]"),
        killers=("compiled Mamba gradients",),
    ),
    KernelFault(
        "compiled product: rows past the first tile are those of the first",
        "product.h",
        (
            "row[i] = x + smaller(r + i, rows - 1) * x_row;",
            "row[i] = x + smaller(FAULT ? i : r + i, rows - 1) * x_row;",
        ),
        killers=("compiled Mamba values", "compiled Mamba gradients"),
    ),
    KernelFault(
        "compiled product: the sum of the bias leaves out the last row",
        "product.h",
        ("for (int64_t k = 0; k < depth; k++) sum +=", "for (int64_t k = 0; k < depth - FAULT; k++) sum +="),
        killers=("compiled Mamba gradients",),
    ),
    KernelFault(
        "compiled gate: a sigmoid",
        "gate.h",
        ("load(y + c * W, lanes) * (x * sigmoid(x))", "load(y + c * W, lanes) * (FAULT ? sigmoid(x) : x * sigmoid(x))"),
        killers=("compiled Mamba values", "compiled Mamba gradients"),
    ),
    KernelFault(
        "compiled gate, backward: its slope is a sigmoid",
        "gate.h",
        ("fma(silu, 1 - sig, sig)", "(FAULT ? sig : fma(silu, 1 - sig, sig))"),
        killers=("compiled Mamba gradients",),
    ),
)
