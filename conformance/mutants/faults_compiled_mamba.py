"""Faults of the compiled Mamba, forward and backward."""

from __future__ import annotations

from caduceus.conformance.mutants.compiled import KernelFault

FAULTS = (
    KernelFault(
        "compiled Mamba: tiles of a reverse walk lie as those of a walk forwards",
        "mamba.h",
        ("position = c.low + (reverse ?", "position = c.low + (reverse && !FAULT ?"),
        killers=("compiled Mamba values", "compiled Mamba gradients"),
    ),
    KernelFault(
        "compiled Mamba: every chunk keeps its states where the first does",
        "mamba.h",
        ("kept.at(c.batch, c.first / TILE)", "kept.at(c.batch, FAULT ? 0 : c.first / TILE)"),
        killers=("compiled Mamba gradients",),
        missed_by=("compiled Mamba values",),
    ),
    KernelFault(
        "compiled Mamba: the scan forgets the mask",
        "mamba.h",
        ("scan.mask = part(", "scan.mask = FAULT ? caduceus_rows{} : part("),
        killers=("compiled Mamba values", "compiled Mamba gradients"),
        missed_by=("compiled masks", "compiled Mamba masks"),
    ),
    KernelFault(
        "compiled Mamba: the convolution forgets the mask",
        "mamba.h",
        ("conv.mask = a.mask;", "conv.mask = FAULT ? caduceus_rows{} : a.mask;"),
        killers=("compiled Mamba values", "compiled Mamba gradients"),
        missed_by=("compiled masks", "compiled Mamba masks"),
    ),
    KernelFault(
        "compiled Mamba: C is B",
        "mamba.h",
        ("shifted(selection, a.rank + a.states)", "shifted(selection, a.rank + (FAULT ? 0 : a.states))"),
        killers=("compiled Mamba values", "compiled Mamba gradients"),
    ),
    KernelFault(
        "compiled Mamba: the bias of out_proj is added once for both directions",
        "mamba_forward.h",
        ("T(a.directions));", "T(FAULT ? 1 : a.directions));"),
        killers=("compiled Mamba values", "compiled Mamba gradients"),
    ),
    KernelFault(
        "compiled Mamba: z has the bias of x",
        "mamba_forward.h",
        ("nullptr : in_bias + E, 1);", "nullptr : in_bias + (FAULT ? 0 : E), 1);"),
        killers=("compiled Mamba values", "compiled Mamba gradients"),
    ),
    KernelFault(
        "compiled Mamba: the second direction begins in the first one's last state",
        "mamba_forward.h",
        ("memset(carry, 0,", "if (!FAULT || d == 0) memset(carry, 0,"),
        killers=("compiled Mamba values", "compiled Mamba gradients"),
    ),
    KernelFault(
        "compiled Mamba: a chunk begins from rest",
        "mamba_forward.h",
        ("scan.state = scan.last = carry;", "scan.state = scan.last = carry; if (FAULT) scan.state = nullptr;"),
        killers=("compiled Mamba values", "compiled Mamba gradients", "compiled rows"),
        missed_by=("compiled scan values", "compiled splits"),
    ),
    KernelFault(
        "compiled Mamba: the last direction replaces the others",
        "mamba_forward.h",
        ("scan.accumulate = d > 0;", "scan.accumulate = d > 0 && !FAULT;"),
        killers=("compiled Mamba values", "compiled Mamba gradients"),
    ),
    KernelFault(
        "compiled Mamba: both directions select by the first one's weights",
        "mamba_forward.h",
        ("select[d], us, selections);", "select[FAULT ? 0 : d], us, selections);"),
        killers=("compiled Mamba values", "compiled Mamba gradients"),
    ),
    KernelFault(
        "compiled Mamba: the second block of sequences is not mixed",
        "mamba_forward.h",
        ("smaller(cut.rows, a.batch - b);\n", "smaller(cut.rows, FAULT && b > 0 ? 0 : a.batch - b);\n"),
        killers=("compiled Mamba values", "compiled Mamba gradients"),
    ),
    KernelFault(
        "compiled Mamba, backward: sums are those of the first sequence or tile",
        "mamba_sums.h",
        (
            "for (int64_t i = 0; i < count; i++)\n            for",
            "for (int64_t i = 0; i < (FAULT ? 1 : count); i++)\n            for",
        ),
        killers=("compiled Mamba gradients",),
    ),
    KernelFault(
        "compiled Mamba, backward: sums begin with what memory holds",
        "mamba_sums.h",
        ("clear<T>(total.A, a.states * E);", "if (!FAULT) clear<T>(total.A, a.states * E);"),
        killers=("compiled Mamba gradients",),
    ),
    KernelFault(
        "compiled Mamba, backward: no step hears of those of the next chunk",
        "mamba_backward.h",
        ("hand_on(chunk, reverse);\n            if", "if (!FAULT) hand_on(chunk, reverse);\n            if"),
        killers=("compiled Mamba gradients",),
        missed_by=("compiled Mamba values",),
    ),
    KernelFault(
        "compiled Mamba, backward: one step too few is handed on",
        "mamba_backward.h",
        ("i < smaller(before, chunk.steps);", "i < smaller(before, chunk.steps) - FAULT;"),
        killers=("compiled Mamba gradients",),
    ),
    KernelFault(
        "compiled Mamba, backward: the adjoint of the state is not carried between chunks",
        "mamba_backward.h",
        (
            "grads.dlast = grads.dstate = carry;",
            "grads.dlast = grads.dstate = carry; if (FAULT) grads.dlast = nullptr;",
        ),
        killers=("compiled Mamba gradients",),
    ),
    KernelFault(
        "compiled Mamba, backward: the second direction begins in the first one's adjoint",
        "mamba_backward.h",
        ("clear<T>(carry,", "if (!FAULT || d == 0) clear<T>(carry,"),
        killers=("compiled Mamba gradients",),
    ),
    KernelFault(
        "compiled Mamba, backward: what is selected does not reach u",
        "mamba_backward.h",
        ("product<true, T>(dselection", "if (!FAULT) product<true, T>(dselection"),
        killers=("compiled Mamba gradients",),
    ),
    KernelFault(
        "compiled Mamba, backward: dB and dC are those of the first group",
        "mamba_backward.h",
        (
            "for (int64_t group = 1; group < groups; group++)",
            "for (int64_t group = 1; group < (FAULT ? 1 : groups); group++)",
        ),
        killers=("compiled kernels on threads",),
        missed_by=("compiled Mamba gradients",),
    ),
    KernelFault(
        "compiled Mamba, backward: the second direction's gradient replaces the first's",
        "mamba_backward.h",
        ("conv.accumulate = d > 0;", "conv.accumulate = d > 0 && !FAULT;"),
        killers=("compiled Mamba gradients",),
    ),
    KernelFault(
        "compiled Mamba, backward: h is mixed before its second direction",
        "mamba_backward.h",
        ("if (d == a.directions - 1) finish(chunk);", "if (d == (FAULT ? 0 : a.directions - 1)) finish(chunk);"),
        killers=("compiled Mamba gradients",),
    ),
    KernelFault(
        "compiled Mamba, backward: z has no part in h",
        "mamba_backward.h",
        ("product<true, T>(dz.at", "if (!FAULT) product<true, T>(dz.at"),
        killers=("compiled Mamba gradients",),
    ),
    KernelFault(
        "compiled Mamba, backward: weights of the convolution lack a chunk",
        "mamba_backward.h",
        ("parts.add_to(total, chunk);", "if (!FAULT || chunk.first > 0) parts.add_to(total, chunk);"),
        killers=("compiled Mamba gradients",),
    ),
    KernelFault(
        "compiled Mamba, backward: out_proj counts the second direction's chunks too",
        "mamba_backward.h",
        ("(d == 0 ? 3 : 2) * panels;", "(d == 0 || FAULT ? 3 : 2) * panels;"),
        killers=("compiled Mamba gradients",),
    ),
    KernelFault(
        "compiled Mamba, backward: z's rows of in_proj are added to x's",
        "mamba_backward.h",
        ("total + (i < panels ? 0 : E);", "total + (i < panels || FAULT ? 0 : E);"),
        killers=("compiled Mamba gradients",),
    ),
)
