"""Lift: token ids to one strand of channels, or to both (Schiff et al. 2024, section 4.1).

    plain   h = E[x]
    ps      h = (E[x], E[rc x])

The paper writes the second half with its length and channels flipped, [E[x] ; R(E[rc x])]. Here it keeps its own
5'->3' order, so that no flip is needed until the head.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from caduceus.alphabet import VOCAB_SIZE, Alphabet, dna
from caduceus.spec import Role, Spec
from caduceus.symmetry import Tokens
from caduceus.weights import Normal, Weight, Weights


class Embedding(Spec, kind="embedding"):
    """A table of one vector per token.

    Attributes:
        d_model: channels of one strand.
        vocab_size: rows of the table; 16 as published (12 tokens, padded to a multiple of 8).
        complement_map: id -> complement id; DNA's if not given. Ids that are left out map to themselves.
        initializer_range: standard deviation of the initial values.

    >>> Embedding(d_model=64).space_in, Embedding(d_model=64).space_out
    (Tokens(DNA), Strands(64))
    """

    role: ClassVar[Role] = "embedding"

    d_model: int = Field(gt=0)
    vocab_size: int = Field(default=VOCAB_SIZE, gt=0)
    complement_map: dict[int, int] | None = None
    initializer_range: float = Field(default=0.02, ge=0)

    @model_validator(mode="after")
    def _complement_is_an_involution(self) -> Embedding:
        self.alphabet  # noqa: B018  raises if the map is no involution
        return self

    @property
    def alphabet(self) -> Alphabet:
        if self.complement_map is None:
            return dna(self.vocab_size)
        return Alphabet.from_map(self.complement_map, self.vocab_size)

    @property
    def space_in(self) -> Tokens:
        return Tokens(self.alphabet)

    def weights(self) -> Weights:
        return {"weight": Weight((self.vocab_size, self.channels), Normal(self.initializer_range), decay=False)}
