"""Sequences that two splits share, as they are or as the reverse complement: a score on them is a score on training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from Bio.Seq import reverse_complement


@dataclass(frozen=True, eq=False)
class Repeats:
    """Which rows of a split are in another one too.

    Attributes:
        exact: (n,) bool, the same sequence, in either case.
        reverse: (n,) bool, its reverse complement and not the sequence itself.
    """

    exact: np.ndarray
    reverse: np.ndarray

    @property
    def either(self) -> np.ndarray:
        """(n,) bool; ``split.take(~repeats.either)`` is the split without them."""
        return self.exact | self.reverse

    def counts(self) -> dict[str, int]:
        """How many rows of each kind, and of how many."""
        return {"exact": int(self.exact.sum()), "reverse": int(self.reverse.sum()), "of": len(self.exact)}


def find_repeats(sequences: Sequence[str], others: Sequence[str]) -> Repeats:
    """Which of ``sequences`` are among ``others``, or have their reverse complement there.

    >>> find_repeats(["ACCT", "AGGT", "aacc", "GGGG"], ["AGGT", "GGTT"]).counts()
    {'exact': 1, 'reverse': 2, 'of': 4}
    """
    known = {sequence.upper() for sequence in others}
    mine = [sequence.upper() for sequence in sequences]
    exact = np.array([sequence in known for sequence in mine], dtype=bool)
    reverse = np.array([reverse_complement(sequence) in known for sequence in mine], dtype=bool)
    return Repeats(exact, reverse & ~exact)
