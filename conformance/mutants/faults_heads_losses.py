"""Faults of the heads and the losses."""

from __future__ import annotations

from caduceus.conformance.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "head: classifiers add the strands instead of averaging them",
        "caduceus.nn.model:Model.forward",
        ('return total * 0.5 if self.spec.bound_head.join == "mean" else total', "return total"),
        killers=("model values", "golden values"),
        missed_by=("equivariance",),
    ),
    Mutant(
        "head: language models average the strands instead of adding them",
        "caduceus.nn.model:Model.forward",
        ('return total * 0.5 if self.spec.bound_head.join == "mean" else total', "return total * 0.5"),
        killers=("model values", "golden values"),
        missed_by=("equivariance",),
    ),
    Mutant(
        "head: the bias after pooling is dropped",
        "caduceus.nn.heads:LinearHead.forward",
        (
            "F.linear(pool(features, self.pooling, mask), self.weight, self.bias)",
            "F.linear(pool(features, self.pooling, mask), self.weight)",
        ),
        killers=("model values",),
        missed_by=("equivariance",),
    ),
    Mutant(
        "pooling: first is last",
        "caduceus.nn.pool:pool",
        ('where.amin(1) if how == "first" else', 'where.amax(1) if how == "first" else'),
        killers=("model values",),
        missed_by=("equivariance",),
    ),
    Mutant(
        "pooling: of two positions in the middle, the second alone",
        "caduceus.nn.pool:near_the_middle",
        ("(count - 1) // 2", "count // 2"),
        killers=("model values under masks",),
        missed_by=("equivariance",),
    ),
    Mutant(
        "pooling: the mean is a sum",
        "caduceus.nn.pool:pool",
        ("/ mask.sum(1, keepdim=True).clamp(min=1)", ""),
        killers=("model values", "golden values"),
        missed_by=("equivariance",),
    ),
    Mutant(
        "language model loss: the mean is over all positions",
        "caduceus.losses:masked_lm",
        ("return ce.mean(), n_targets", "return ce.sum() / labels.numel(), n_targets"),
        killers=("language model loss", "golden values"),
    ),
    Mutant(
        "language model loss: ignored positions are targets",
        "caduceus.losses:masked_lm",
        ("target = labels != ignore_index", "target = labels >= 0"),
        killers=("language model loss", "loss without targets", "golden values"),
    ),
    Mutant(
        "language model loss: weighted, it is divided by the number of targets",
        "caduceus.losses:masked_lm",
        ("torch.where(total == 0, torch.ones_like(total), total)", "n_targets"),
        killers=("language model loss",),
    ),
    Mutant(
        "language model loss: weights are read from the first positions, not from the targets",
        "caduceus.losses:masked_lm",
        ("loss_weights[target]", "loss_weights.flatten()[:n_targets]"),
        killers=("language model loss",),
    ),
    Mutant(
        "language model loss: NaN where there are no targets",
        "caduceus.losses:masked_lm",
        ("return kept.sum(), 0", "return kept.mean(), 0"),
        killers=("loss without targets",),
        missed_by=("language model loss",),
    ),
    Mutant(
        "classification: regression takes absolute errors",
        "caduceus.losses:classification",
        ("F.mse_loss", "F.l1_loss"),
        killers=("classification losses",),
    ),
    Mutant(
        "classification: several labels are taken for one distribution",
        "caduceus.losses:classification",
        ("F.binary_cross_entropy_with_logits", "F.cross_entropy"),
        killers=("classification losses",),
    ),
)
