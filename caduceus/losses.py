"""Losses of the published models' classes: computed in float32 or wider; nothing that is passed in is written to."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from caduceus.alphabet import PAD


def masked_lm(
    logits: Tensor, labels: Tensor, loss_weights: Tensor | None = None, ignore_index: int = PAD
) -> tuple[Tensor, int]:
    """Cross entropy of the masked tokens, in nats, averaged over the targets.

    Args:
        logits: (B, L, V). labels: (B, L) ids, ``ignore_index`` where there is no target.
        loss_weights: (B, L) weight of each target: sum(w * ce) / sum(w); those of ignored positions do not count.
            Labels and weights may be on another device than the logits.

    Returns:
        The loss and the number of targets. Without targets, or without weight on any, the loss is 0 and still has a
        graph, so that a backward gives zero gradients, never NaN.

    Raises:
        ValueError: shapes do not fit together, or a label is neither ``ignore_index`` nor an id of the vocabulary.

    >>> loss, n_targets = masked_lm(torch.zeros(1, 2, 16), torch.tensor([[7, 4]]))
    >>> round(loss.item(), 4), n_targets
    (2.7726, 1)
    """
    logits = _tensor(logits)
    labels = _tensor(labels, logits.device)
    if logits.ndim != 3 or labels.shape != logits.shape[:2]:
        raise ValueError(
            f"logits have shape {tuple(logits.shape)} and labels {tuple(labels.shape)}, expected (B, L, V), (B, L)"
        )
    loss_weights = None if loss_weights is None else _tensor(loss_weights, logits.device)
    if loss_weights is not None and loss_weights.shape != labels.shape:
        raise ValueError(f"loss_weights have shape {tuple(loss_weights.shape)}, expected {tuple(labels.shape)}")
    wide = _wide(logits)
    target = labels != ignore_index
    n_targets = int(target.sum())
    kept, ids = wide[target], labels[target].long()
    if n_targets == 0:
        return kept.sum(), 0
    # torch would pass over -100 in silence and count it as a target.
    if (outside := ids[(ids < 0) | (ids >= logits.shape[2])]).numel():
        raise ValueError(
            f"labels hold {int(outside[0])}, expected ids from 0 to {logits.shape[2] - 1}, "
            f"or ignore_index={ignore_index} where there is no target"
        )
    ce = F.cross_entropy(kept, ids, reduction="none")
    if loss_weights is None:
        return ce.mean(), n_targets
    weights = loss_weights[target].to(wide.dtype)
    total = weights.sum()
    return (ce * weights).sum() / torch.where(total == 0, torch.ones_like(total), total), n_targets


def classification(logits: Tensor, labels: Tensor, problem_type: str) -> Tensor:
    """The loss of a sequence classifier.

    Args:
        logits: (B, classes).
        labels: tensor or array. (B,) class ids for ``single_label_classification``; (B, classes) of 0 and 1 for
            ``multi_label_classification``; (B, classes), or (B,) with one label, for ``regression``.

    Raises:
        ValueError: the problem type is unknown, or the shapes or the labels do not fit it.
    """
    logits = _tensor(logits)
    labels = _tensor(labels, logits.device)
    wide = _wide(logits)
    if logits.shape[0] == 0:
        return wide.sum()
    if problem_type == "single_label_classification":
        _expect(labels, (logits.shape[0],), problem_type)
        ids = labels.long()
        if (wrong := labels[(ids != labels) | (ids < 0) | (ids >= logits.shape[1])]).numel():
            raise ValueError(f"labels hold {wrong[0].item()}, expected whole numbers from 0 to {logits.shape[1] - 1}")
        return F.cross_entropy(wide, ids)
    if problem_type == "multi_label_classification":
        _expect(labels, tuple(logits.shape), problem_type)
        return F.binary_cross_entropy_with_logits(wide, labels.to(wide.dtype))
    if problem_type == "regression":
        targets = labels.unsqueeze(1) if labels.ndim == 1 and logits.shape[1] == 1 else labels
        _expect(targets, tuple(logits.shape), problem_type)
        return F.mse_loss(wide, targets.to(wide.dtype))
    raise ValueError(
        f"problem_type is {problem_type!r}, expected single_label_classification, "
        "multi_label_classification or regression"
    )


def _tensor(x: Any, device: torch.device | None = None) -> Tensor:
    """Labels often come as NumPy arrays, as does everything from the reference."""
    return torch.as_tensor(x, device=device)


def _wide(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _expect(labels: Tensor, shape: tuple[int, ...], problem_type: str) -> None:
    if tuple(labels.shape) != shape:
        raise ValueError(f"labels of {problem_type} have shape {tuple(labels.shape)}, expected {shape}")
