"""What an SVM is given: the model's features, and the controls that say what is worth nothing in them.

model        mean features near the variant of the reference, then of the alternate, and the tissue: the paper's
effect       the alternate's minus the reference's, and nothing else: what the variant changes, wherever it lies
copied       the same with the reference copied to the alternate: nothing, so that it must score exactly 0.5
reference    the reference's features twice and the tissue: what a place and a tissue tell of any variant there
untrained    as model, of the same network with its initial weights
composition  the trinucleotide and CpG scores of `caduceus.predict.controls`
distance     from the nearest start of transcription, its logarithm
tissue       the tissue
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from caduceus.predict.controls import Composition
from caduceus.predict.models import inner_spec
from caduceus.recipes.vep_embeddings import MODEL, UNTRAINED
from caduceus.recipes.vep_protocol import official_strands
from caduceus.recipes.vep_work import Work

# Numbers of rows, and whether they are to train on -> features (rows, any) float64.
Arm = Callable[[np.ndarray, bool], np.ndarray]


class Arms:
    """The arms of a run by name; each reads what it needs for the rows that it is asked for, and no more.

    Args:
        embedded: name of an output -> its features (alleles, 2, 2, C).
    """

    def __init__(self, work: Work, embedded: dict[str, np.ndarray]) -> None:
        self.work, self.embedded = work, embedded
        self.equivariance = inner_spec(work.model).equivariance
        composition = Composition(work.genome, work.recipe.controls.composition_bases)
        self._composition = np.nan_to_num(np.array([composition(allele) for allele in work.alleles]))

    def by_name(self) -> dict[str, Arm]:
        """The model first."""
        found: dict[str, Arm] = {
            "model": lambda rows, training: self._with_tissue(self._both(MODEL, rows, training), rows),
            "effect": lambda rows, training: _change(self._both(MODEL, rows, training)),
            "copied": lambda rows, training: _change(_copied(self._both(MODEL, rows, training))),
            "reference": lambda rows, training: self._with_tissue(_copied(self._both(MODEL, rows, training)), rows),
            "untrained": lambda rows, training: self._with_tissue(self._both(UNTRAINED, rows, training), rows),
            "composition": lambda rows, training: self._composition[self.work.allele[rows]],
            "distance": lambda rows, training: np.log1p(self.work.distance[rows])[:, None],
            "tissue": lambda rows, training: self._tissues(rows),
        }
        if UNTRAINED not in self.embedded:
            del found["untrained"]
        return found

    def _both(self, name: str, rows: np.ndarray, training: bool) -> np.ndarray:
        """(rows, 2, C): the features of both alleles, of the strands that the protocol looks at."""
        features = self.embedded[name][self.work.allele[rows]].astype(np.float64)
        official = self.work.recipe.protocol == "official"
        if official and official_strands(self.equivariance, training) == "forward":
            return features[:, :, 0]
        return (features[:, :, 0] + features[:, :, 1]) * 0.5

    def _with_tissue(self, both: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.concatenate([both.reshape(len(rows), -1), self._tissues(rows)], axis=1)

    def _tissues(self, rows: np.ndarray) -> np.ndarray:
        return self.work.tissues([self.work.snps.tissues[i] for i in rows])


def _copied(both: np.ndarray) -> np.ndarray:
    """The reference in place of the alternate."""
    return both[:, [0, 0]]


def _change(both: np.ndarray) -> np.ndarray:
    return both[:, 1] - both[:, 0]
