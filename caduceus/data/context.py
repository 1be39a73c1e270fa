"""What counting can do: bits per base of models that predict a base from the k bases on one side, or on both.

The floor a trained model is measured against. Counts are of both strands; N and other letters break a context.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from caduceus.alphabet import BASES, PAD
from caduceus.data.genome import REPEAT, Genome, is_base
from caduceus.data.intervals import Intervals
from caduceus.data.score import Score
from caduceus.symmetry import Tokens

_POSITIONS_AT_ONCE = 1 << 20
_LARGEST = 12


@dataclass(frozen=True, eq=False)
class ContextModel:
    """P(base | ``left`` bases before it, ``right`` bases after it), from counts.

    Attributes:
        counts: (4 ** (left + right), 4) int64, by context and base.
        pseudocount: added to each count.
    """

    left: int
    right: int
    counts: np.ndarray
    pseudocount: float = 0.5

    @classmethod
    def fit(
        cls, sequences: Iterable[np.ndarray], left: int, right: int = 0, *, pseudocount: float = 0.5
    ) -> ContextModel:
        """Count ``sequences``, arrays (L,) of token ids, marked or not, on both strands.

        Raises:
            ValueError: a negative order, more than 12 bases of context, or a pseudocount that is not positive.

        >>> from caduceus.alphabet import encode
        >>> model = ContextModel.fit(encode("ACACACACAC")[0], left=1)
        >>> model.counts[0].tolist()      # after A: C five times and, on the other strand (GTGTGTGTGT), nothing
        [0, 5, 0, 0]
        """
        if min(left, right) < 0 or left + right > _LARGEST:
            raise ValueError(f"context is {left} + {right} bases, expected at most {_LARGEST} in all")
        if pseudocount <= 0:
            raise ValueError(f"pseudocount is {pseudocount}, expected more than 0")
        counts = np.zeros(4 ** (left + right + 1), dtype=np.int64)
        for ids in _pieces(sequences, left + right):
            bare = ids % REPEAT
            for strand in (bare, Tokens().act(bare[None])[0]):
                counts += np.bincount(_codes(strand, left, right)[0], minlength=len(counts))
        return cls(left, right, counts.reshape(-1, 4), pseudocount)

    def bits_per_base(self, sequences: Iterable[np.ndarray]) -> float:
        """Mean of -log2 P over the bases of ``sequences`` that have their whole context; ValueError if none has."""
        return self.score(sequences).bits_per_base

    def score(self, sequences: Iterable[np.ndarray]) -> Score:
        """The same, by repeats and bases; `IntervalIds` marks the repeats."""
        smoothed = self.counts + self.pseudocount
        nats = -np.log(smoothed / smoothed.sum(axis=1, keepdims=True)).ravel()
        total = Score()
        for ids in _pieces(sequences, self.left + self.right):
            codes, middle = _codes(ids, self.left, self.right)
            total += Score.of(nats[codes], middle % REPEAT, middle >= REPEAT)
        if not total.targets:
            raise ValueError(
                f"no base has {self.left} bases before it and {self.right} after it; give longer sequences"
            )
        return total


def context_models(
    train: Iterable[np.ndarray], *, one_sided: Iterable[int] = (5,), two_sided: Iterable[int] = (3, 4)
) -> dict[str, dict[int, ContextModel]]:
    """Models counted on ``train``, by order: k bases before, or k on each side.

    Args:
        train: arrays (L,) of token ids, gone through once an order, so not a generator: a list, or `IntervalIds`.

    Returns:
        ``{"one_sided": {k: model}, "two_sided": {k: model}}``
    """
    return {
        "one_sided": {k: ContextModel.fit(train, k) for k in one_sided},
        "two_sided": {k: ContextModel.fit(train, k, k) for k in two_sided},
    }


@dataclass(frozen=True)
class IntervalIds:
    """The token ids of intervals, repeats marked, one array (L,) uint8 each, read whenever they are gone through."""

    genome: Genome
    intervals: Intervals

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self.genome.fetch_marked_ids(row.contig, row.start, row.end) for row in self.intervals)


def _pieces(sequences: Iterable[np.ndarray], context: int) -> Iterator[np.ndarray]:
    """The sequences as arrays neither large nor many: long ones cut, with the context repeated; short ones joined.

    Padding keeps contexts from crossing a joint.
    """
    parts: list[np.ndarray] = []
    held = 0
    for ids in sequences:
        for at in range(0, max(1, len(ids) - context), _POSITIONS_AT_ONCE):
            part = ids[at : at + _POSITIONS_AT_ONCE + context]
            parts += [part.astype(np.uint8), np.array([PAD], dtype=np.uint8)]
            held += len(part)
            if held >= _POSITIONS_AT_ONCE:
                yield np.concatenate(parts)
                parts, held = [], 0
    if parts:
        yield np.concatenate(parts)


def _codes(ids: np.ndarray, left: int, right: int) -> tuple[np.ndarray, np.ndarray]:
    """A number for each base with its whole context: context times four plus base (m,) int64; and its own id."""
    offsets = [*range(left), *range(left + 1, left + right + 1), left]
    length = len(ids) - left - right
    if length <= 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint8)
    code = np.zeros(length, dtype=np.int64)
    whole = np.ones(length, dtype=bool)
    for offset in offsets:
        part = ids[offset : offset + length] % REPEAT
        whole &= is_base(part)
        code = code * 4 + (part.astype(np.int64) - BASES[0])
    return code[whole], ids[left : left + length][whole]
