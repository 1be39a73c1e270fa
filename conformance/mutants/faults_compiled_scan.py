"""Faults of the compiled scan, forward and backward."""

from __future__ import annotations

from caduceus.conformance.mutants.compiled import KernelFault

FAULTS = (
    KernelFault(
        "compiled scan: B is read where masked",
        "scan_tile.h",
        ("= keep ? B.at(b, p)[n]", "= keep || FAULT ? B.at(b, p)[n]"),
        killers=("compiled masks",),
        missed_by=("compiled scan values", "compiled Mamba values"),
    ),
    KernelFault(
        "compiled scan: dt is projected from one row for the next eight",
        "scan_tile.h",
        ("at(int(smaller(t + i, steps - 1)))", "at(int(smaller(FAULT ? t : t + i, steps - 1)))"),
        killers=("compiled Mamba values", "compiled Mamba gradients"),
        missed_by=("compiled scan values",),
    ),
    KernelFault(
        "compiled scan: the given state is ignored",
        "scan_tile.h",
        (
            "load_states(states, static_cast<const T*>(a.state));",
            "load_states(states, FAULT ? nullptr : static_cast<const T*>(a.state));",
        ),
        killers=("compiled scan values", "compiled scan gradients", "compiled splits"),
    ),
    KernelFault(
        "compiled scan: every decay is taken to be in range",
        "scan_tile.h",
        ("if (EXP2_SATURATES<T>) return true;", "if (EXP2_SATURATES<T> || FAULT) return true;"),
        killers=("compiled extreme steps",),
        missed_by=("compiled scan values",),
    ),
    KernelFault(
        "compiled scan: the steepest channel of a column is not looked for",
        "scan_tile.h",
        ("if (!(size <= most) &&", "if (!(size <= most) && !FAULT &&"),
        killers=("compiled extreme steps",),
        missed_by=("compiled scan gradients",),
    ),
    KernelFault(
        "compiled scan: a rate that is NaN is forgotten for the next",
        "scan_tile.h",
        ("most == most) most = size;", "(most == most || FAULT)) most = size;"),
        killers=("compiled NaN",),
        missed_by=("compiled extreme steps",),
    ),
    KernelFault(
        "compiled scan: a step that is NaN has those before it forgotten",
        "scan_tile.h",
        ("nan |= d != d;", "nan |= FAULT ? zero != zero : d != d;"),
        killers=("compiled NaN",),
        missed_by=("compiled extreme steps",),
    ),
    KernelFault(
        "compiled scan: a decay's range is that of its step and its rate, not of their product",
        "scan_tile.h",
        (
            "largest * load(steepest + column * W)",
            "(FAULT ? largest + load(steepest + column * W) : largest * load(steepest + column * W))",
        ),
        killers=("compiled extreme steps",),
        missed_by=("compiled scan values",),
    ),
    KernelFault(
        "compiled scan: no D skip",
        "scan_forward.h",
        (
            "store(to + Column::Y, load(skip + c * W) * x);",
            "store(to + Column::Y, FAULT ? V{} : load(skip + c * W) * x);",
        ),
        killers=("compiled scan values", "compiled scan gradients"),
    ),
    KernelFault(
        "compiled scan: a masked step moves the state",
        "scan_forward.h",
        ("if (valid) {", "if (valid || FAULT) {"),
        killers=("compiled scan values", "compiled scan gradients", "compiled masks"),
    ),
    KernelFault(
        "compiled scan: dt has no bias",
        "scan_forward.h",
        (
            "load(dt + c * W, count) + load(bias + c * W);",
            "load(dt + c * W, count) + (FAULT ? V{} : load(bias + c * W));",
        ),
        killers=("compiled scan values", "compiled scan gradients"),
    ),
    KernelFault(
        "compiled scan: the gate is a sigmoid",
        "scan_forward.h",
        ("y = y * (gate * sigmoid(gate));", "y = y * (FAULT ? sigmoid(gate) : gate * sigmoid(gate));"),
        killers=("compiled scan values", "compiled scan gradients"),
    ),
    KernelFault(
        "compiled scan: the last state is not returned",
        "scan_forward.h",
        ("tile.store_states(", "if (!FAULT) tile.store_states("),
        killers=("compiled scan values", "compiled scan gradients", "compiled splits"),
    ),
    KernelFault(
        "compiled scan: states past the last four are left out",
        "scan_forward.h",
        ("for (; n < tile.N; n++) pass<1,", "for (; n < tile.N && !FAULT; n++) pass<1,"),
        killers=("compiled scan values", "compiled scan gradients", "compiled softplus"),
    ),
    KernelFault(
        "compiled scan: checkpoints are one tile late",
        "scan_forward.h",
        ("keep_states(i);", "keep_states(FAULT && i > 0 ? i - 1 : i);"),
        killers=("compiled scan gradients",),
    ),
    KernelFault(
        "compiled scan: the second direction replaces the first",
        "scan_forward.h",
        ("if (accumulate) y = y +", "if (accumulate && !FAULT) y = y +"),
        killers=("compiled Mamba values", "compiled Mamba gradients"),
    ),
    KernelFault(
        "compiled scan, backward: a tile begins from the checkpoint before its own",
        "scan_backward.h",
        ("tile.checkpoint(i, c, n)", "tile.checkpoint(FAULT && i > 0 ? i - 1 : i, c, n)"),
        killers=("compiled scan gradients",),
    ),
    KernelFault(
        "compiled scan, backward: the last state's gradient is ignored",
        "scan_backward.h",
        (
            "tile.load_states(carry, static_cast<const T*>(gradients.dlast));",
            "tile.load_states(carry, FAULT ? nullptr : static_cast<const T*>(gradients.dlast));",
        ),
        killers=("compiled scan gradients",),
    ),
    KernelFault(
        "compiled scan, backward: u has no part through the skip",
        "scan_backward.h",
        ("load(skip + c * W) * g), count);", "FAULT ? V{} : load(skip + c * W) * g), count);"),
        killers=("compiled scan gradients",),
    ),
    KernelFault(
        "compiled scan, backward: a masked step has a gradient",
        "scan_backward.h",
        ("if (valid) {", "if (valid || FAULT) {"),
        killers=("compiled scan gradients", "compiled masks"),
    ),
    KernelFault(
        "compiled scan, backward: without a softplus dt has no gradient",
        "scan_backward.h",
        ("slope = zero + 1;", "slope = FAULT ? zero : zero + 1;"),
        killers=("compiled scan gradients",),
        missed_by=("compiled Mamba gradients",),
    ),
    KernelFault(
        "compiled scan, backward: groups of channels write their sums over one another",
        "scan_backward.h",
        ("to += (index * tile.a.batch + tile.b)", "to += ((FAULT ? 0 : index) * tile.a.batch + tile.b)"),
        killers=("compiled kernels on threads",),
        missed_by=("compiled scan gradients",),
    ),
    KernelFault(
        "compiled scan, backward: the slope of the gate",
        "scan_backward.h",
        ("g * fma(silu, 1 - sig, sig)", "g * (FAULT ? sig : fma(silu, 1 - sig, sig))"),
        killers=("compiled scan gradients",),
    ),
    KernelFault(
        "compiled scan, backward: the adjoint does not decay",
        "scan_adjoint.h",
        ("carry[n] = load(lanes.decay + from) * g;", "carry[n] = FAULT ? g : load(lanes.decay + from) * g;"),
        killers=("compiled scan gradients",),
    ),
    KernelFault(
        "compiled scan, backward: the gradient of A is that of one tile",
        "scan_adjoint.h",
        ("load(states.dA + n * W) + dA[n]", "(FAULT ? V{} : load(states.dA + n * W)) + dA[n]"),
        killers=("compiled scan gradients",),
    ),
    KernelFault(
        "compiled scan, backward: dB lacks the channels of other columns",
        "scan_adjoint.h",
        ("fma(g, x, load(lanes.dB + from))", "fma(g, x, FAULT ? V{} : load(lanes.dB + from))"),
        killers=("compiled scan gradients",),
    ),
    KernelFault(
        "compiled scan, backward: a first state has no part in the decays' gradient",
        "scan_adjoint.h",
        (
            "const V w = carry[n] * load(lanes.before + from);",
            "const V w = FAULT && t == 0 ? V{} : carry[n] * load(lanes.before + from);",
        ),
        killers=("compiled scan gradients",),
    ),
)
