"""What a predictor's answers on held-out bases cost, kept apart by what the bases are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from caduceus.alphabet import BASES, TOKENS


def _zeros() -> np.ndarray:
    return np.zeros(Score.SHAPE)


@dataclass(frozen=True, eq=False)
class Score:
    """Sums of cross entropies over bases, by whether a base is soft-masked and by which it is; ``+`` adds scores up.

    Attributes:
        nats, counts: (2, 4) float64, sums and how many they are of; rows: outside of repeats, in repeats (lower case);
            columns: A, C, G, T.

    >>> score = Score.of(np.array([1.0, 2.0, 3.0]), np.array([7, 7, 10]), np.array([False, True, False]))
    >>> score.targets, score.loss, [kind for kind, bits in score.bits_by_kind().items() if bits is None]
    (3, 2.0, ['C', 'G'])
    """

    SHAPE: ClassVar = (2, len(BASES))
    KINDS: ClassVar = ("unique", "repeat", *(TOKENS[base] for base in BASES))

    nats: np.ndarray = field(default_factory=_zeros)
    counts: np.ndarray = field(default_factory=_zeros)

    @classmethod
    def of(cls, nats: np.ndarray, bases: np.ndarray, repeats: np.ndarray) -> Score:
        """The score of answers that cost ``nats`` (m,), where the ids of the true bases are ``bases`` (m,)."""
        kind = repeats.astype(np.int64) * len(BASES) + (bases.astype(np.int64) - BASES[0])
        size = 2 * len(BASES)
        sums = np.bincount(kind, weights=nats, minlength=size).reshape(cls.SHAPE)
        return cls(sums, np.bincount(kind, minlength=size).reshape(cls.SHAPE).astype(np.float64))

    def __add__(self, other: Score) -> Score:
        return Score(self.nats + other.nats, self.counts + other.counts)

    @property
    def targets(self) -> int:
        """How many bases."""
        return int(self.counts.sum())

    @property
    def loss(self) -> float:
        """Nats per base; NaN without bases."""
        return float(self.nats.sum()) / self.targets if self.targets else math.nan

    @property
    def bits_per_base(self) -> float:
        return self.loss / math.log(2)

    def bits_by_kind(self) -> dict[str, float | None]:
        """Bits per base outside of repeats and in them, and of each base; None where there is no such base."""
        sums, counts = (np.concatenate([x.sum(axis=1), x.sum(axis=0)]) for x in (self.nats, self.counts))
        pairs = zip(self.KINDS, sums.tolist(), counts.tolist(), strict=True)
        return {kind: total / count / math.log(2) if count else None for kind, total, count in pairs}
