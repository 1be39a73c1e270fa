"""A whole model: lift, mix, project (Schiff et al. 2024, figure 1 and section 4).

    s    = lift(x)                            two strands for ps, one for ph and none
    r    = 0;  h = s
    for each layer i:
        r = h + r                             the residual stream
        h = mixer_i(norm_i(r))                each strand by itself; a strand mixer takes the pair
    features = norm_f(h + r)
    y    = project(features)

`ps`: parameter sharing over the strands, equivariant by construction. `ph` and `none` compute the same plain function;
`ph` tells recipes to train with reverse-complement augmentation and to evaluate the group average (`Symmetrize`).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, SerializeAsAny, model_validator

from caduceus.parts.embedding import Embedding
from caduceus.parts.heads import Head, SequenceClassifier
from caduceus.parts.norm import Norm
from caduceus.spec import AnySpec, Role, Spec, slot
from caduceus.symmetry import Space, Strands, Tokens, Track
from caduceus.weights import Weight, Weights, draw, prefixed


class Model(Spec, kind="model"):
    """The spec of a model.

    Attributes:
        equivariance: ps, ph or none.
        embedding, mixers, norm, head: the parts; without a head the model gives its features.
        residual_in_fp32: keep the residual stream in float32 when the model computes in less.
        n_as: how data feed an N: as the token N, or as [PAD], which is how the published models were pretrained.
        rescale_prenorm_residual, n_residuals_per_layer: initial values that close a residual branch are divided by
            sqrt(n_residuals_per_layer * layers).

    >>> from caduceus import parts
    >>> spec = parts.Model(equivariance="ps", embedding=parts.Embedding(d_model=64), mixers=[parts.BiMamba()])
    >>> spec.space_in, spec.space_out
    (Tokens(DNA), Strands(64))
    """

    role: ClassVar[Role] = "model"

    equivariance: Literal["ps", "ph", "none"] = "ps"
    embedding: Annotated[SerializeAsAny[Embedding], slot("embedding")]
    mixers: tuple[Annotated[AnySpec, slot("mixer", "strand_mixer")], ...]
    norm: Norm = Field(default_factory=Norm)
    head: Annotated[SerializeAsAny[Head], slot("head")] | None = None
    residual_in_fp32: bool = False
    n_as: Literal["pad", "n"] = "n"
    rescale_prenorm_residual: bool = True
    n_residuals_per_layer: int = Field(default=1, gt=0)

    @model_validator(mode="after")
    def _type_check(self) -> Model:
        if self.d_model not in (None, self.channels):
            raise ValueError(f"d_model is {self.d_model}, but the embedding's is {self.channels}; leave it out here")
        state = self.state
        chain = [(f"mixers.{i}", mixer) for i, mixer in enumerate(self.mixers)]
        chain += [("norm", self.norm)] + ([("head", self.head)] if self.head is not None else [])
        for path, part in chain:
            width = part.d_model or self.embedding.channels
            expected = Strands(width) if self.equivariance == "ps" or part.role == "strand_mixer" else Track(width)
            if expected != state:
                raise ValueError(f"{path} expects {expected}, receives {state}")
        if self.equivariance == "ps" and isinstance(self.head, SequenceClassifier) and self.head.conjoin != "none":
            raise ValueError("head.conjoin is for plain models, a ps model always averages its strands; leave it out")
        return self

    @property
    def channels(self) -> int:
        return self.embedding.channels

    @property
    def state(self) -> Space:
        """What a hidden state is."""
        return Strands(self.channels) if self.equivariance == "ps" else Track(self.channels)

    @property
    def space_in(self) -> Tokens:
        return Tokens(self.embedding.alphabet)

    @property
    def space_out(self) -> Space:
        return self.state if self.head is None else self.bound_head.space_out

    def bound_mixers(self) -> tuple[Spec, ...]:
        """The mixers, their channels filled in."""
        return tuple(mixer.bind(self.embedding) for mixer in self.mixers)

    @property
    def bound_norm(self) -> Norm:
        return self.norm.bind(self.embedding)

    @property
    def bound_head(self) -> Head:
        if self.head is None:
            raise ValueError("the model has no head")
        return self.head.bind(self.embedding)

    def named_parts(self) -> Iterator[tuple[str, Spec]]:
        """Every part that may own weights, with its path in the tree."""
        yield "embedding", self.embedding
        for i, mixer in enumerate(self.bound_mixers()):
            yield f"norms.{i}", self.bound_norm
            yield f"mixers.{i}", mixer
        yield "norm_f", self.bound_norm
        if self.head is not None:
            yield "head", self.bound_head

    def weights(self) -> Weights:
        """Every weight that is declared, under its full name; a head's tie to the embedding is by full name already."""
        found: Weights = {}
        for path, part in self.named_parts():
            if part.is_foreign:
                continue
            found |= (
                {f"head.{n}": w for n, w in part.weights().items()}
                if path == "head"
                else prefixed(path, part.weights())
            )
        return found

    def initial_weights(self, seed: int) -> dict[str, np.ndarray]:
        """Initial values of every declared weight that is not tied, float32, from ``seed`` and its name alone."""
        layers = max(len(self.mixers), 1)
        scale = 1 / sqrt(self.n_residuals_per_layer * layers) if self.rescale_prenorm_residual else 1.0
        return draw(self.weights(), seed, scale)


def decayed(weights: dict[str, Weight]) -> set[str]:
    """Names of the weights that an optimiser decays."""
    return {name for name, w in weights.items() if w.tied_to is None and w.decay}
