"""Faults of masks: somewhere a masked position is read, counted or written."""

from __future__ import annotations

from caduceus.conformance.mutants.mutant import Mutant

SCAN = "caduceus.backends.torch.kernels:TorchBackend.selective_scan"
CONV = "caduceus.backends.torch.kernels:TorchBackend.causal_conv"

MUTANTS = (
    Mutant(
        "mask: forgotten in dt",
        SCAN,
        ("delta = delta.masked_fill(~valid, 0.0)", "pass"),
        killers=("scan values", "scan masks", "model values under masks"),
        missed_by=("equivariance under masks", "padding"),
    ),
    Mutant(
        "mask: NaN at masked steps reaches the gradients",
        SCAN,
        ("(v.masked_fill(~valid, 0.0) for v in (delta, x, B))", "(delta, x.masked_fill(~valid, 0.0), B)"),
        killers=("scan masks",),
        missed_by=("scan gradients", "model values under masks"),
    ),
    Mutant(
        "mask: forgotten in the convolution",
        CONV,
        ("inputs = inputs.masked_fill(~mask.unsqueeze(2), 0.0)", "pass"),
        killers=("convolution values", "convolution masks", "padding", "model values under masks"),
    ),
    Mutant(
        "mask: forgotten before in_proj, where NaN reaches the gradients",
        "caduceus.nn.bimamba:BiMamba._shared",
        ("self.fwd.in_proj(zero_masked(h, mask))", "self.fwd.in_proj(h)"),
        killers=("masked content",),
        missed_by=("padding", "model values under masks"),
    ),
    Mutant(
        "mask: a mixer writes to masked positions",
        "caduceus.nn.bimamba:BiMamba.forward",
        ("return zero_masked(out, mask)", "return out"),
        killers=("masked content",),
        missed_by=("padding", "model values under masks"),
    ),
    Mutant(
        "mask: the second strand has the first one's",
        "caduceus.nn.model:Model._lift",
        ("[valid, flip(valid, 1)]", "[valid, valid]"),
        killers=("equivariance under masks", "padding", "model values under masks"),
    ),
    Mutant(
        "mask: the average's second reading has the first one's",
        "caduceus.nn.symmetrize:Symmetrize._both",
        ("f(rc_ids, rc_valid)", "f(rc_ids, valid)"),
        killers=("equivariance under masks", "model values under masks"),
    ),
    Mutant(
        "mask: the bias of a layer norm fills masked positions",
        "caduceus.nn.model:_normed",
        ("return zero_masked(normed, mask), total", "return normed, total"),
        killers=("masked outputs",),
        missed_by=("padding",),
    ),
    Mutant(
        "mask: the bias of a head fills masked positions",
        "caduceus.nn.heads:LinearHead.forward",
        ("zero_masked(F.linear(features, self.weight, self.bias), mask)", "F.linear(features, self.weight, self.bias)"),
        killers=("masked outputs",),
        missed_by=("padding",),
    ),
    Mutant(
        "pooling: the mean counts masked positions",
        "caduceus.nn.pool:pool",
        ("mask.sum(1, keepdim=True).clamp(min=1)", "mask.shape[1]"),
        killers=("padding", "model values under masks"),
        missed_by=("equivariance under masks",),
    ),
    Mutant(
        "pooling: the maximum reads masked positions",
        "caduceus.nn.pool:pool",
        ("x.masked_fill(~valid, -torch.inf).max(1).values", "x.max(1).values"),
        killers=("padding", "model values under masks"),
    ),
    Mutant(
        "pooling: first and last read masked positions",
        "caduceus.nn.pool:pool",
        ("positions.where(mask, outside)", "positions.expand(mask.shape)"),
        killers=("padding", "model values under masks"),
    ),
    Mutant(
        "pooling: the centre counts masked positions",
        "caduceus.nn.pool:near_the_middle",
        ("mask.sum(1, keepdim=True)", "torch.full_like(mask[:, :1], mask.shape[1], dtype=torch.int64)"),
        killers=("padding", "model values under masks"),
    ),
    Mutant(
        "pooling: a row without valid positions pools something",
        "caduceus.nn.pool:pool",
        ("pooled.where(mask.any(1, keepdim=True), torch.zeros_like(pooled))", "pooled"),
        killers=("empty rows",),
        missed_by=("padding", "model values under masks"),
    ),
    Mutant(
        "mask by name: N is masked, [PAD] is not",
        "caduceus.nn.inputs:as_mask",
        ("ids != PAD", "ids != 11"),
        killers=("padding by name",),
        missed_by=("padding",),
    ),
    Mutant(
        "mask: given to a mixer that ignores it",
        "caduceus.nn.model:Model._refuse_unused",
        ("if ignoring and", "if False and"),
        killers=("unused masks",),
        missed_by=("padding", "model values under masks"),
    ),
)
