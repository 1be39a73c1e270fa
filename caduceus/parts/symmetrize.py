"""Symmetrize: the group average of any model, itself a model (post-hoc conjoining; Schiff et al. 2024, section 5).

    y(x) = (f(x) + act(f(rc x))) / 2,    act: rc on the output space of f

It is equivariant whatever f is; on an f that is equivariant already it changes nothing.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import model_validator

from caduceus.parts.model import Model
from caduceus.spec import Role, Spec
from caduceus.symmetry import Space, Tokens
from caduceus.weights import Weights, prefixed


class Symmetrize(Spec, kind="symmetrize"):
    """A model averaged over both strands of its input.

    >>> from caduceus import parts
    >>> plain = parts.Model(equivariance="ph", embedding=parts.Embedding(d_model=8), mixers=[], head=parts.MaskedLM())
    >>> Symmetrize(model=plain).space_out == plain.space_out
    True
    """

    role: ClassVar[Role] = "model"

    model: Model

    @model_validator(mode="after")
    def _as_wide_as_its_model(self) -> Symmetrize:
        if self.d_model not in (None, self.channels):
            raise ValueError(f"d_model is {self.d_model}, but the model's is {self.channels}; leave it out here")
        return self

    @property
    def channels(self) -> int:
        return self.model.channels

    @property
    def space_in(self) -> Tokens:
        return self.model.space_in

    @property
    def space_out(self) -> Space:
        return self.model.space_out

    def weights(self) -> Weights:
        return prefixed("model", self.model.weights())

    def initial_weights(self, seed: int) -> dict[str, np.ndarray]:
        """Initial values of the model inside, as it would have without the average."""
        return {f"model.{name}": value for name, value in self.model.initial_weights(seed).items()}
