"""The group average of a model (Schiff et al. 2024, section 5), and the way from any model's spec to its reference.

y(x) = (f(x) + rc(f(rc x))) / 2
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from caduceus import parts
from caduceus.reference.arrays import Array
from caduceus.reference.base import BaseModel
from caduceus.reference.model import Model
from caduceus.reference.parts import NoReference, undeclared
from caduceus.reference.strands import flip_mask, rc_output
from caduceus.spec import Spec
from caduceus.weights import check_values


class Symmetrize(BaseModel):
    """`caduceus.parts.Symmetrize` on NumPy arrays.

    Args:
        spec: the average. weights: those of the model inside, under the spec's names (``model.`` and its own).

    Raises:
        ValueError, NoReference: as `Model`.
    """

    def __init__(self, spec: parts.Symmetrize, weights: Mapping[str, Any]) -> None:
        super().__init__()
        self.spec = spec
        check_values(spec.weights(), weights, foreign=undeclared(spec))
        self._model = build(spec.model, {name.removeprefix("model."): value for name, value in weights.items()})

    def weights(self) -> dict[str, Array]:
        """Every weight of the model inside, under the spec's names."""
        return {f"model.{name}": value for name, value in self._model.weights().items()}

    def train(self, mode: bool = True) -> Symmetrize:
        self._model.train(mode)
        return super().train(mode)

    def __call__(self, input_ids: Any, mask: Any = None) -> Array:
        """The average of the answers to ids (B, L) and to their reverse complement."""
        ids, mask = self.checked(input_ids, mask)
        there, back = self._model(ids, mask), self._model(self.rc(ids), flip_mask(mask))
        return (there + rc_output(self.space_out, back)) / 2

    def features(self, input_ids: Any, mask: Any = None) -> Array:
        """(B, 2, L, C): of a plain model, the features of x and of rc x; of a ps model, which reads both, its own."""
        ids, mask = self.checked(input_ids, mask)
        there = self._model.features(ids, mask)
        if there.ndim == 4:
            return there
        return np.stack([there, self._model.features(self.rc(ids), flip_mask(mask))], axis=1)


def build(spec: Spec, weights: Mapping[str, Any]) -> Model | Symmetrize:
    """The model of a spec with these weights, in training mode.

    Args:
        weights: a value for every weight that is not tied, under the spec's names.

    Raises:
        ValueError: weights are missing, unknown or of a wrong shape.
        NoReference: a part has no reference.
    """
    if isinstance(spec, parts.Model):
        return Model(spec, weights)
    if isinstance(spec, parts.Symmetrize):
        return Symmetrize(spec, weights)
    raise NoReference(f"{spec.kind_name} has no reference, expected parts.Model or parts.Symmetrize")
