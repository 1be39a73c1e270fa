"""Bits per base: how well a model predicts masked, held-out bases; and what it predicts, base by base."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from caduceus.alphabet import BASES, MASK
from caduceus.check import equivariance_error
from caduceus.data import MaskedLMData, Score, is_base
from caduceus.nn.model import Model
from caduceus.nn.modes import evaluating
from caduceus.nn.symmetrize import Symmetrize
from caduceus.nn.token_model import TokenModel
from caduceus.parts import Symmetrize as SymmetrizeSpec
from caduceus.train.bar import watched
from caduceus.train.settings import Protocol

# Of the equivariance error that is followed during training: short, since it is taken at every validation.
_FOLLOWED = {"lengths": (1, 2, 17, 64), "batch": 2, "n": 2}


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

    Targets that are not A, C, G or T, which the official protocol also asks for, do not count.

    Args:
        windows: (n,) numbers of windows.
        per_device: windows at once.
        name: what the progress bar says.
        stop: asked between batches; if it says so, the answer is None.
    """
    total = Score()
    with evaluating(model) as device:
        for at in watched(range(0, len(windows), per_device), name):
            if stop():
                return None
            samples = windows[at : at + per_device].tolist()
            rows = data.rows(samples)
            chosen = is_base(rows["labels"])
            bases = rows["labels"][chosen]
            logits = model(torch.from_numpy(rows["input_ids"]).to(device))[torch.from_numpy(chosen).to(device)]
            wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
            nats = F.cross_entropy(wide, torch.from_numpy(bases).to(device), reduction="none")
            total += Score.of(nats.cpu().double().numpy(), bases, data.repeats(samples)[chosen])
    return total


def followed_equivariance_error(model: Model, protocol: Protocol) -> float:
    """The equivariance error of what is evaluated, on few and short inputs, the same each time."""
    return equivariance_error(as_evaluated(model, protocol), **_FOLLOWED)  # type: ignore[arg-type]


def spread(count: int, share: float) -> np.ndarray:
    """Evenly spaced numbers below ``count``, this share of them and at least one.

    >>> spread(8, 0.5).tolist()
    [0, 2, 4, 6]
    """
    chosen = max(1, math.ceil(count * share))
    return np.arange(chosen) * count // chosen


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
