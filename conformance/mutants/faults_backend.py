"""Faults of the portable backend: the scan and its gradients, the convolution, the norm."""

from __future__ import annotations

from caduceus.conformance.mutants.mutant import Mutant

SCAN = "caduceus.backends.torch.kernels:TorchBackend.selective_scan"
CONV = "caduceus.backends.torch.kernels:TorchBackend.causal_conv"
NORM = "caduceus.backends.torch.kernels:TorchBackend.add_norm"
INNER = "caduceus.backends.torch.scan:"

MUTANTS = (
    Mutant(
        "scan: the given state is ignored",
        SCAN,
        ("if state is None:", "if True:"),
        killers=("scan values", "scan splits", "scan masks"),
    ),
    Mutant(
        "scan: the state returned is the one before the last step",
        INNER + "_Scan.forward",
        ("return y, current.clone()", "return y, (states[-2] if len(states) > 1 else starts[-1]).clone()"),
        killers=("scan values", "scan splits"),
        missed_by=("equivariance", "golden values"),
    ),
    Mutant(
        "scan: softplus is linear above 2 already",
        SCAN,
        ("threshold=SOFTPLUS_THRESHOLD", "threshold=2.0"),
        killers=("softplus", "scan values"),
        missed_by=("equivariance",),
    ),
    Mutant(
        "scan: softplus has no linear branch",
        SCAN,
        ("F.softplus(delta, threshold=SOFTPLUS_THRESHOLD)", "torch.log1p(torch.exp(delta))"),
        killers=("softplus",),
    ),
    Mutant(
        "scan: dt_bias is added after the softplus",
        SCAN,
        (
            "F.softplus(delta, threshold=SOFTPLUS_THRESHOLD)",
            "F.softplus(delta if dt_bias is None else delta - dt_bias) + (0.0 if dt_bias is None else dt_bias)",
        ),
        killers=("scan values", "model values", "golden values"),
        missed_by=("equivariance",),
    ),
    Mutant(
        "scan: the gate is a sigmoid",
        SCAN,
        ("F.silu(z.to(wide))", "torch.sigmoid(z.to(wide))"),
        killers=("scan values",),
    ),
    Mutant(
        "scan: delta is missing before B",
        INNER + "_Scan.forward",
        ("d * _walk(u, where, reverse)", "_walk(u, where, reverse)"),
        killers=("scan values", "model values", "golden values"),
        missed_by=("equivariance", "scan splits"),
    ),
    Mutant(
        "scan: each chunk starts from the first state",
        INNER + "_Scan.forward",
        ("_walk(B, where, reverse), current)", "_walk(B, where, reverse), state)"),
        killers=("scan chunks",),
        missed_by=("scan values",),
    ),
    Mutant(
        "scan: chunks are walked from the first in reverse too",
        INNER + "_chunks",
        ("reversed(starts) if reverse else starts", "starts"),
        killers=("scan chunks",),
        missed_by=("scan values", "scan gradients"),
    ),
    Mutant(
        "scan: results of a reverse walk are left in walking order",
        INNER + "_unwalk",
        ("x.flip(0) if reverse else x", "x"),
        killers=("scan values", "scan directions", "golden values"),
        missed_by=("equivariance",),
    ),
    Mutant(
        "scan, backward: the adjoint is not carried from chunk to chunk",
        INNER + "_Scan.backward",
        ("*grads, dA_chunk, carry = _chunk_grads", "*grads, dA_chunk, _ = _chunk_grads"),
        killers=("scan chunks",),
        missed_by=("scan values",),
    ),
    Mutant(
        "scan, backward: chunks start from one another's states",
        INNER + "_Scan.backward",
        ("zip(reversed(chunks), reversed(starts), strict=True)", "zip(reversed(chunks), starts, strict=True)"),
        killers=("scan chunks",),
        missed_by=("scan values", "scan gradients", "golden gradients"),
    ),
    Mutant(
        "scan, backward: a reverse walk's gradients are left in walking order",
        INNER + "_Scan.backward",
        ("_unwalk(grad, ctx.reverse)", "_unwalk(grad, False)"),
        killers=("scan gradients", "model gradients", "golden gradients"),
        missed_by=("scan values", "golden values"),
    ),
    Mutant(
        "scan, backward: delta's gradient lacks what it drives",
        INNER + "_chunk_grads",
        (".addcmul_(ddrive, u)", ""),
        killers=("scan gradients", "model gradients", "golden gradients"),
        missed_by=("scan values",),
    ),
    Mutant(
        "scan, backward: the first state has no part in the gradients of delta and A",
        INNER + "_chunk_grads",
        ("decay[0].mul_(start)", "decay[0].zero_()"),
        killers=("scan gradients", "scan chunks"),
        missed_by=("golden gradients",),
    ),
    Mutant(
        "scan, backward: the last state's gradient is ignored",
        INNER + "_Scan.backward",
        ("carry = dlast.contiguous()", "carry = torch.zeros_like(dlast)"),
        killers=("scan gradients",),
        missed_by=("golden gradients",),
    ),
    Mutant(
        "scan, twice backward: delta is a constant where it drives",
        INNER + "_differentiable_grads",
        ("(delta, delta * u, B, C)", "(delta, delta.detach() * u, B, C)"),
        killers=("scan second derivatives",),
        missed_by=("scan gradients", "golden gradients"),
    ),
    Mutant(
        "convolution: reads the input after its own",
        CONV,
        ("else (0, 0, before, 0)", "else (0, 0, before - 1, 1)"),
        killers=("one way", "convolution values", "model values", "golden values"),
        missed_by=("equivariance",),
    ),
    Mutant(
        "convolution: the given state is ignored",
        CONV,
        ("if state is None:", "if True:"),
        killers=("convolution values", "convolution splits"),
    ),
    Mutant(
        "convolution: the state returned is the one before the last step",
        CONV,
        ("padded[:, length:]", "padded[:, length - 1 : -1]"),
        killers=("convolution values", "convolution splits"),
    ),
    Mutant(
        "convolution: the taps of the reverse walk are not reversed",
        CONV,
        ("reversed(taps) if reverse else taps", "taps"),
        killers=("convolution values", "model values", "golden values"),
        missed_by=("equivariance", "both ways"),
    ),
    Mutant(
        "norm: over positions instead of channels",
        NORM,
        ("h.square().mean(-1, keepdim=True)", "h.square().mean(1, keepdim=True)"),
        killers=("norm values", "norm positions", "model values", "golden values"),
        missed_by=("equivariance",),
    ),
    Mutant(
        "norm: the sum of squares instead of their mean",
        NORM,
        ("h.square().mean(-1, keepdim=True)", "h.square().sum(-1, keepdim=True)"),
        killers=("norm values", "model values", "golden values"),
        missed_by=("equivariance", "norm positions"),
    ),
    Mutant(
        "norm: without eps",
        NORM,
        (" + eps)", ")"),
        killers=("norm values", "golden values"),
        missed_by=("equivariance", "norm positions"),
    ),
    Mutant(
        "norm: the layer norm keeps its mean",
        NORM,
        ('if kind == "layer":', "if False:"),
        killers=("norm values", "model values", "golden values"),
        missed_by=("equivariance", "norm positions"),
    ),
    Mutant(
        "norm: the residual is not in the sum that is returned",
        NORM,
        ("normed.to(x.dtype), total", "normed.to(x.dtype), x"),
        killers=("norm values", "model values", "golden values"),
        missed_by=("equivariance",),
    ),
)
