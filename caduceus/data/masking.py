"""Masked language modelling: which positions a model must predict, and what it sees there.

sound      each A, C, G or T is selected with probability 0.15, nothing else ever is; of the selected 80 % become
           [MASK], 10 % one of A, C, G, T at random, 10 % stay
official   each position is selected, padding and N too; the 10 % become one of all twelve ids, special tokens and N
           among them (official behaviour)
"""

from __future__ import annotations

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
    """``input_ids`` and ``labels``, both (L,) int64; labels are 4, ignored by the loss, where nothing was selected."""

    input_ids: np.ndarray
    labels: np.ndarray


def mask_ids(
    ids: np.ndarray, seed: int, number: int, *, protocol: Literal["sound", "official"] = "sound", rate: float = 0.15
) -> Masked:
    """Mask token ids (L,), a function of the arguments alone.

    Args:
        seed, number: name the draw; ``number`` is usually the global sample index.
        rate: probability that a position which may be selected is.

    >>> ids = np.array([7, 8, 9, 10, 11, 7, 8, 9])
    >>> mask_ids(ids, seed=0, number=0, rate=1.0).labels.tolist()
    [7, 8, 9, 10, 4, 7, 8, 9]
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"rate is {rate}, expected a probability")
    if protocol not in ("sound", "official"):
        raise ValueError(f'protocol is {protocol!r}, expected "sound" or "official"')
    sound = protocol == "sound"
    allowed = is_base(ids) if sound else np.ones(len(ids), dtype=bool)
    replacements = np.array(BASES) if sound else np.arange(len(TOKENS))
    select, fate, pick = random_bits(seed, number, Purpose.MASK, 3 * len(ids)).reshape(3, len(ids))
    return _apply(
        ids,
        selected=allowed & (_uniform(select) < rate),
        masked=_uniform(fate) < _MASKED,
        replaced=_uniform(fate) >= 1 - (1 - _MASKED) * _REPLACED_OF_REST,
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


def _uniform(bits: np.ndarray) -> np.ndarray:
    """Uniform numbers in [0, 1) from uint64."""
    return (bits >> np.uint64(11)) * 2.0**-53
