"""Masked language modelling: which positions a model must predict, and what it sees there.

sound      each A, C, G or T is selected with probability 0.15, nothing else ever is; of the selected 80 % become
           [MASK], 10 % one of A, C, G, T at random, 10 % stay
official   each position is selected, padding and N too; the 10 % become one of all twelve ids, special tokens and N
           among them (official behaviour)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from caduceus.alphabet import BASES, MASK, PAD, TOKENS
from caduceus.data.draws import Purpose, random_bits
from caduceus.data.genome import is_base

if TYPE_CHECKING:
    import torch

IGNORED = PAD
_MASKED, _REPLACED_OF_REST = 0.8, 0.5


class Masked(NamedTuple):
    """``input_ids`` and ``labels``, int64 of one shape; labels are 4, ignored by the loss, where none was selected."""

    input_ids: np.ndarray
    labels: np.ndarray


def mask_ids(
    ids: np.ndarray, seed: int, number: int, *, protocol: Literal["sound", "official"] = "sound", rate: float = 0.15
) -> Masked:
    """Mask token ids (L,), a function of the arguments alone: `mask_rows` of one row."""
    ids_and_labels = mask_rows(np.asarray(ids)[None], seed, [number], protocol=protocol, rate=rate)
    return Masked(*(rows[0] for rows in ids_and_labels))


def mask_rows(
    ids: np.ndarray,
    seed: int,
    numbers: Sequence[int],
    *,
    protocol: Literal["sound", "official"] = "sound",
    rate: float = 0.15,
) -> Masked:
    """Mask token ids (B, L), each row a function of itself and its number alone.

    Args:
        seed, numbers: name the draws; a row's number is usually its global sample index.
        rate: probability that a position which may be selected is.

    >>> ids = np.array([[7, 8, 9, 10, 11, 7, 8, 9]])
    >>> mask_rows(ids, seed=0, numbers=[0], rate=1.0).labels.tolist()
    [[7, 8, 9, 10, 4, 7, 8, 9]]
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"rate is {rate}, expected a probability")
    if protocol not in ("sound", "official"):
        raise ValueError(f'protocol is {protocol!r}, expected "sound" or "official"')
    sound = protocol == "sound"
    allowed = is_base(ids) if sound else np.ones(ids.shape, dtype=bool)
    replacements = np.array(BASES) if sound else np.arange(len(TOKENS))
    length = ids.shape[1]
    bits = np.stack([random_bits(seed, number, Purpose.MASK, 3 * length) for number in numbers])
    select, fate, pick = bits.reshape(len(numbers), 3, length).transpose(1, 0, 2)
    return _apply(
        ids,
        selected=allowed & _below(select, rate),
        masked=_below(fate, _MASKED),
        replaced=~_below(fate, 1 - (1 - _MASKED) * _REPLACED_OF_REST),
        replacement=replacements[pick % np.uint64(len(replacements))],
    )


def mask_ids_by_torch(ids: np.ndarray, generator: torch.Generator, *, rate: float = 0.15) -> Masked:
    """The official masking with the authors' own draws, in their order: for comparison with their code.

    >>> import torch
    >>> mask_ids_by_torch(np.array([9, 10, 7, 10, 8, 8]), torch.Generator().manual_seed(1), rate=0.5).labels.tolist()
    [4, 10, 7, 4, 8, 4]
    """
    import torch

    def happens(probability: float) -> np.ndarray:
        drawn: np.ndarray = torch.bernoulli(torch.full((len(ids),), probability), generator=generator).bool().numpy()
        return drawn

    selected, masked, replaced = happens(rate), happens(_MASKED), happens(_REPLACED_OF_REST)
    replacement = torch.randint(len(TOKENS), (len(ids),), generator=generator).numpy()
    return _apply(ids, selected, masked, replaced, replacement)


def _apply(
    ids: np.ndarray, selected: np.ndarray, masked: np.ndarray, replaced: np.ndarray, replacement: np.ndarray
) -> Masked:
    """Of the selected: [MASK] if masked, else ``replacement`` if replaced, else as it was."""
    seen = np.where(masked, MASK, np.where(replaced, replacement, ids))
    return Masked(np.where(selected, seen, ids).astype(np.int64), np.where(selected, ids, IGNORED).astype(np.int64))


def _below(bits: np.ndarray, probability: float) -> np.ndarray:
    """Where a uniform number in [0, 1), the upper 53 bits of each uint64, is below ``probability``."""
    return (bits >> np.uint64(11)) < np.uint64(math.ceil(probability * 2**53))
