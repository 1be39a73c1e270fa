"""Bits per base: how well a model predicts masked, held-out bases; and what it predicts, base by base."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from caduceus.alphabet import BASES, MASK, PAD
from caduceus.data import MaskedLMData
from caduceus.losses import masked_lm
from caduceus.nn.model import Model
from caduceus.nn.symmetrize import Symmetrize
from caduceus.nn.token_model import TokenModel
from caduceus.parts import Symmetrize as SymmetrizeSpec
from caduceus.train.bar import watched
from caduceus.train.loader import collate
from caduceus.train.settings import Protocol


@dataclass(frozen=True)
class Score:
    """A sum of cross entropies in nats over so many targets, each an A, C, G or T."""

    nats: float
    targets: int

    @property
    def loss(self) -> float:
        return self.nats / self.targets if self.targets else math.nan

    @property
    def bits_per_base(self) -> float:
        return self.loss / math.log(2)


def as_evaluated(model: Model, protocol: Protocol) -> TokenModel:
    """The model whose predictions count: of a ``ph`` model the average over both strands, sharing its weights.

    The official protocol evaluates what it trains.
    """
    if protocol == "official" or model.spec.equivariance != "ph":
        return model
    averaged = Symmetrize(SymmetrizeSpec(model=model.spec), model)
    return averaged.train(model.training)


def score(
    model: nn.Module,
    data: MaskedLMData,
    windows: np.ndarray,
    per_device: int,
    name: str,
    stop: Callable[[], bool] = lambda: False,
) -> Score | None:
    """Cross entropy of a model on some windows of a split that is not trained on; their masks are always the same.

    Args:
        windows: (n,) numbers of windows.
        per_device: windows at once.
        name: what the progress bar says.
        stop: asked between batches; if it says so, the answer is None.
    """
    nats, targets = 0.0, 0
    with evaluating(model) as device:
        for at in watched(range(0, len(windows), per_device), name):
            if stop():
                return None
            batch = collate([data[int(i)] for i in windows[at : at + per_device]])
            labels = only_bases(batch["labels"]).to(device)
            loss, count = masked_lm(model(batch["input_ids"].to(device)), labels)
            nats, targets = nats + float(loss) * count, targets + count
    return Score(nats, targets)


def spread(count: int, share: float) -> np.ndarray:
    """Evenly spaced numbers below ``count``, this share of them and at least one.

    >>> spread(8, 0.5).tolist()
    [0, 2, 4, 6]
    """
    chosen = max(1, math.ceil(count * share))
    return np.arange(chosen) * count // chosen


def only_bases(labels: Tensor) -> Tensor:
    """Labels with all but A, C, G and T ignored: the official protocol also asks for other ids."""
    is_base = (labels >= BASES[0]) & (labels <= BASES[-1])
    return labels.where(is_base, torch.full_like(labels, PAD))


def predict_each(model: nn.Module, ids: np.ndarray, positions: range, per_device: int = 32) -> np.ndarray:
    """P(A, C, G, T) at each of ``positions`` of ids (L,), that position alone masked: (positions, 4) float64."""
    found = []
    with evaluating(model) as device:
        for at in range(0, len(positions), per_device):
            here = torch.tensor(positions[at : at + per_device])
            rows = torch.arange(len(here))
            masked = torch.from_numpy(ids.astype(np.int64)).repeat(len(here), 1)
            masked[rows, here] = MASK
            logits = model(masked.to(device)).cpu()[rows, here]
            found.append(logits[:, list(BASES)].double().softmax(-1).numpy())
    return np.concatenate(found)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[torch.device]:
    """Eval mode without gradients, and the mode as it was afterwards; gives the model's device."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield next(model.parameters()).device
    finally:
        model.train(was_training)
