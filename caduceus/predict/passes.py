"""Rows through a model in batches: rows of one length together, those that need no mask apart from those that do.

Which rows share a batch follows from the rows alone, so the same rows in the same order give the same bits again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from caduceus.alphabet import BASES, MASK
from caduceus.nn.modes import evaluating
from caduceus.nn.token_model import TokenModel
from caduceus.predict.windows import Window

TOKENS = 1 << 14
Key = TypeVar("Key")


class Row(NamedTuple):
    """A window with these positions read as [MASK].

    ``near``: positions of each strand in its own order, two arrays; one that is named twice counts twice.
    """

    window: Window
    masked: tuple[int, ...] = ()
    near: tuple[np.ndarray, np.ndarray] | None = None


def base_logits(
    model: TokenModel, rows: Iterable[tuple[Key, Row]], tokens: int = TOKENS
) -> Iterator[tuple[Key, np.ndarray]]:
    """Logits of A, C, G, T at the masked positions of each row, (masked, 4) float64, in no particular order."""

    def gathered(ids: Tensor, mask: Tensor | None, group: list[Row]) -> list[np.ndarray]:
        at = [(i, position) for i, row in enumerate(group) for position in row.masked]
        which, where = torch.tensor(at, device=ids.device).unbind(1)
        logits = model(ids, mask)[which, where][:, list(BASES)].double().cpu().numpy()
        return np.split(logits, np.cumsum([len(row.masked) for row in group])[:-1])

    return _batched(model, rows, gathered, tokens)


def pooled_features(
    model: TokenModel, rows: Iterable[tuple[Key, Row]], margin: int, tokens: int = TOKENS
) -> Iterator[tuple[Key, np.ndarray]]:
    """Mean of the features of each strand, (2, C) float64, without ``margin`` positions at each end and masked ones."""

    features: Any = model.features

    def pooled(ids: Tensor, mask: Tensor | None, group: list[Row]) -> list[np.ndarray]:
        inner = slice(margin, ids.shape[1] - margin)
        total = features(ids, mask)[:, :, inner].double().sum(2)
        valid = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask
        count = valid[:, inner].sum(1).clamp(min=1)
        return list((total / count[:, None, None]).cpu().numpy())

    return _batched(model, rows, pooled, tokens)


def near_features(
    model: TokenModel, rows: Iterable[tuple[Key, Row]], tokens: int = TOKENS, *, half: bool = False
) -> Iterator[tuple[Key, np.ndarray]]:
    """Mean of the features of each strand over the positions ``near`` of a row, (2, C) float64, masked ones left out.

    Args:
        half: features and mean are rounded to float16, whose largest number is 65504.
    """
    features: Any = model.features

    def averaged(ids: Tensor, mask: Tensor | None, group: list[Row]) -> list[np.ndarray]:
        found = features(ids, mask)
        valid = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask
        means = []
        for strands, here, row in zip(found, valid, group, strict=True):
            pair = zip(strands, (here, here.flip(0)), row.near or (), strict=True)
            means.append(torch.stack([_mean(x, known, torch.from_numpy(at), half) for x, known, at in pair]))
        return list(torch.stack(means).double().cpu().numpy())

    return _batched(model, rows, averaged, tokens)


def _mean(x: Tensor, valid: Tensor, at: Tensor, half: bool) -> Tensor:
    """Of x (L, C) at some positions; 0 if none of them is valid."""
    at = at.to(x.device)
    chosen = x[at].half() if half else x[at]
    mean = chosen.double().sum(0) / valid[at].sum().clamp(min=1)
    return mean.half() if half else mean


def _batched(
    model: TokenModel,
    rows: Iterable[tuple[Key, Row]],
    function: Callable[[Tensor, Tensor | None, list[Row]], list[np.ndarray]],
    tokens: int,
) -> Iterator[tuple[Key, np.ndarray]]:
    waiting: dict[tuple[int, bool], list[tuple[Key, Row]]] = {}
    device = next(model.parameters()).device

    def run(group: list[tuple[Key, Row]], whole: bool) -> Iterator[tuple[Key, np.ndarray]]:
        ids, mask = _stacked([row for _, row in group])
        with evaluating(model):
            found = function(ids.to(device), None if whole else mask.to(device), [row for _, row in group])
        yield from zip([key for key, _ in group], found, strict=True)

    for key, row in rows:
        length, whole = len(row.window.ids), bool(row.window.valid.all())
        group = waiting.setdefault((length, whole), [])
        group.append((key, row))
        if len(group) >= max(1, tokens // length):
            yield from run(waiting.pop((length, whole)), whole)
    for (_, whole), group in waiting.items():
        yield from run(group, whole)


def _stacked(rows: list[Row]) -> tuple[Tensor, Tensor]:
    ids = np.stack([row.window.ids for row in rows]).astype(np.int64)
    for i, row in enumerate(rows):
        ids[i, list(row.masked)] = MASK
    return torch.from_numpy(ids), torch.from_numpy(np.stack([row.window.valid for row in rows]))


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    """log P over A, C, G, T of logits (..., 4), adding complementary bases first: the same bits on either strand.

    >>> np.exp(log_probabilities(np.zeros((1, 4)))).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """
    shifted = logits - logits.max(-1, keepdims=True)
    a, c, g, t = np.moveaxis(np.exp(shifted), -1, 0)
    return shifted - np.log((a + t) + (c + g))[..., None]
