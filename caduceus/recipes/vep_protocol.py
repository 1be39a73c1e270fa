"""What ``protocol: official`` does that ``sound`` does not: the authors' defects, each in one place.

docs/published_models.md, section 11 and quirks Q15 and Q28 to Q33, says what the authors do.

n_as      official reads N as itself, which pretraining never showed the model; sound as the model was trained: `n_as`
window    an even window, the variant right of its middle, does not mirror on itself; one base fewer: `VepEqtl.flank`
index     the middle of the window, where the alleles agree there the last place where they differ, -1 for equal ones,
          positions beyond the window its edge again; the allele's own place: `official_index`, `near`
rc_index  a ps model's reverse strand averaged around the forward index, a base off; around the allele: `near`
half      features and means in float16, rows that overflow dropped; double precision: `AlleleFeatures`
dropped   the last rows of a split, beyond a multiple of 8 processes; none: `kept_by_sampler`
edges     a row on an edge is in both buckets; in the farther one: `in_bucket`
tissue    one number, by the tissues of the test rows, a stranger in training an error; a column each: `TissueCodes`
strands   ph trains on the forward strand and is tested on the mean, none has one; the mean: `official_strands`
draws     with replacement where a bucket has fewer rows than are drawn; all of them, once: `draws`
hard      AUROC of decided classes, which is balanced accuracy; of decision values: `caduceus.recipes.vep_svm`
leak      C chosen by the test score; by rows held out of training: `caduceus.recipes.vep_svm`

Not reproduced: the float16 autocast of the model itself, which a CPU has not, and the order of the authors' draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from caduceus.train.settings import Protocol

_PROCESSES = 8
Strands = Literal["forward", "mean"]


def n_as(protocol: Protocol, trained: str) -> str:
    """How N is read, ``trained`` being what the model was trained with."""
    return "n" if protocol == "official" else trained


def official_index(ref: np.ndarray, alt: np.ndarray) -> int:
    """The place of a variant in windows ``ref`` and ``alt`` (L,), as the authors find it.

    >>> official_index(np.array([7, 7, 8, 7]), np.array([7, 7, 9, 10])), official_index(np.zeros(4), np.zeros(4))
    (2, -1)
    >>> official_index(np.array([7, 7, 8, 7]), np.array([9, 7, 8, 9]))
    3
    """
    middle = len(ref) // 2
    if ref[middle] != alt[middle]:
        return middle
    differing = np.flatnonzero(ref != alt)
    return int(differing[-1]) if len(differing) else -1


def near(index: int, length: int, radius: int, equivariance: str) -> tuple[np.ndarray, np.ndarray]:
    """Positions that official averages on each strand in its own order; those beyond the window are its edge, again.

    >>> [strand.tolist() for strand in near(2, 4, 1, "ps")], [strand.tolist() for strand in near(2, 4, 1, "ph")]
    ([[1, 2, 3], [1, 2, 3]], [[1, 2, 3], [2, 1, 0]])
    >>> near(-1, 4, 2, "ps")[0].tolist()
    [0, 0, 0, 0, 1]
    """
    forward = np.clip(np.arange(index - radius, index + radius + 1), 0, length - 1)
    return forward, forward if equivariance == "ps" else length - 1 - forward


def kept_by_sampler(rows: np.ndarray) -> np.ndarray:
    """The rows of a split that the authors' distributed loader leaves, of those in the order of the file."""
    return rows[: len(rows) - len(rows) % _PROCESSES]


def in_bucket(distance: np.ndarray, low: float, high: float, protocol: Protocol) -> np.ndarray:
    """Which distances (n,) lie in a bucket.

    >>> [in_bucket(np.array([29_999.0, 3e4]), 0, 3e4, kind).tolist() for kind in ("sound", "official")]
    [[True, False], [True, True]]
    """
    return (distance >= low) & ((distance <= high) if protocol == "official" else (distance < high))


class TissueCodes:
    """Tissues as features.

    Raises:
        ValueError: a tissue that the rows which decide the columns have not.
    """

    def __init__(self, train: Sequence[str], test: Sequence[str], protocol: Protocol) -> None:
        ours, theirs = (train, test) if protocol == "sound" else (test, train)
        self.official = protocol == "official"
        self.known = sorted(set(ours))
        if strangers := sorted(set(theirs) - set(ours)):
            kinds = ("training", "test") if self.official else ("test", "training")
            raise ValueError(
                f"{kinds[0]} rows have the tissue {', '.join(map(repr, strangers[:5]))}, which no {kinds[1]} row has; "
                f"those have {', '.join(map(repr, self.known[:5]))}; leave the strangers out"
            )

    def __call__(self, tissues: Sequence[str]) -> np.ndarray:
        """(n, 1) numbers for official, else (n, tissues) of 0 and 1."""
        code = np.searchsorted(self.known, tissues)
        found: np.ndarray = code[:, None].astype(np.float64) if self.official else np.eye(len(self.known))[code]
        return found


def official_strands(equivariance: str, training: bool) -> Strands:
    """Which strands of a model's features an SVM of the official protocol is given."""
    return "mean" if equivariance == "ps" or (equivariance == "ph" and not training) else "forward"


def draws(rows: np.ndarray, size: int, seeds: Sequence[int], protocol: Protocol) -> list[np.ndarray]:
    """The rows that an SVM of each seed is trained on, of those of a bucket; sound has one of all of them if it can."""
    if len(rows) <= size and protocol == "sound":
        return [rows]
    return [np.random.default_rng(seed).choice(rows, size, replace=len(rows) < size) for seed in seeds]
