"""Project: two strands to an output with a known action of rc (Schiff et al. 2024, sections 4.2 and 4.3).

Every head is one function f of one strand and one formula for the pair. With act the action of rc on the output space,

    y = f(s0) + act(f(s1))        `sum`, the paper's language model head
    y = (f(s0) + act(f(s1))) / 2  `mean`, every other head

Exchanging s0 and s1 gives act(y), exactly, because addition commutes: the head is equivariant for any f and any space.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from caduceus.alphabet import Alphabet
from caduceus.spec import Role, Spec
from caduceus.symmetry import Rep, Space, Track, Vector, permutation, signed, token_rep, trivial
from caduceus.weights import Constant, Normal, Weight, Weights

Pooling = Literal["mean", "max", "first", "last", "centre"]
ProblemType = Literal["single_label_classification", "multi_label_classification", "regression"]


class Head(Spec):
    """Base of heads: what f gives for one strand, and how the pair is joined.

    Attributes:
        join: "sum" or "mean" of the two strands.
        pooling: None for a value per position; else how f pools the valid positions of a strand, in its own order.
    """

    role: ClassVar[Role] = "head"
    join: ClassVar[Literal["sum", "mean"]] = "mean"
    pooling: Pooling | None = None

    @property
    def outputs(self) -> int:
        """Channels of the output space."""
        space = self.space_out
        return space.channels if isinstance(space, Track | Vector) else 0


class MaskedLM(Head, kind="masked_lm"):
    """Logits per token: positions flip and the vocabulary permutes.

    Attributes:
        tie: "embedding" uses the embedding's table as weight, "none" has its own.
    """

    join: ClassVar[Literal["sum", "mean"]] = "sum"

    tie: Literal["embedding", "none"] = "embedding"
    pooling: None = None
    alphabet: Alphabet | None = Field(default=None, exclude=True, repr=False)

    def bind(self, embedding: Any) -> MaskedLM:
        bound = super().bind(embedding)
        return bound.model_copy(update={"alphabet": embedding.alphabet})

    @property
    def space_out(self) -> Space:
        if self.alphabet is None:
            raise ValueError("masked_lm has no vocabulary yet: put it in a model")
        return Track(token_rep(self.alphabet))

    def weights(self) -> Weights:
        tied_to = "embedding.weight" if self.tie == "embedding" else None
        return {"weight": Weight((self.outputs, self.channels), Normal(0.02), tied_to=tied_to, decay=tied_to is None)}


class SequenceClassifier(Head, kind="sequence_classifier"):
    """One value per class, the same for a sequence and its reverse complement; with one regression label, a score.

    Attributes:
        num_labels: classes, or regression targets.
        pooling: mean, max, first, last or centre of the valid positions of each strand; centre is the middle one, of an
            even number the mean of both: for sequences that were cut around a site.
        bias: the published classifier has none; the authors' fine-tuning has one.
        problem_type: which loss belongs to it; None if open.
        conjoin: for plain models: when to run the sequence and its reverse complement and average: none, eval (outside
            training) or always. A ps model always averages its strands.
    """

    num_labels: int = Field(default=2, gt=0)
    pooling: Pooling = "mean"
    bias: bool = False
    problem_type: ProblemType | None = None
    conjoin: Literal["none", "eval", "always"] = "none"

    @property
    def space_out(self) -> Space:
        return Vector(trivial(self.num_labels))

    def weights(self) -> Weights:
        return _linear(self.num_labels, self.channels, self.bias)


class _Typed(Head):
    """A head whose channels are listed by how rc moves them, in this order.

    Attributes:
        invariant: channels that rc leaves alone (a coverage, a class without strand).
        stranded: pairs (+ strand, - strand) that rc exchanges (stranded coverage, a splice donor here or opposite).
        signed: channels that rc negates (a strand-antisymmetric score).
    """

    invariant: int = Field(default=0, ge=0)
    stranded: int = Field(default=0, ge=0)
    signed: int = Field(default=0, ge=0)
    bias: bool = True

    @model_validator(mode="after")
    def _not_empty(self) -> _Typed:
        if self.rep.channels == 0:
            raise ValueError(f"{self.kind_name} has no channels: give invariant, stranded or signed")
        return self

    @property
    def rep(self) -> Rep:
        pairs = permutation([i + 1 - 2 * (i % 2) for i in range(2 * self.stranded)])
        return trivial(self.invariant) + pairs + signed(self.signed)

    def weights(self) -> Weights:
        return _linear(self.rep.channels, self.channels, self.bias)


class TrackHead(_Typed, kind="track_head"):
    """Values per position, each channel with its declared type.

    >>> TrackHead(invariant=1, stranded=1, signed=1).space_out
    Track(1 + permutation(1, 0) + signed(1))
    """

    pooling: None = None

    @property
    def space_out(self) -> Space:
        return Track(self.rep)


class VectorHead(_Typed, kind="vector_head"):
    """Values per sequence, each channel with its declared type: a strand-specific label is equivariant, not invariant.

    >>> VectorHead(invariant=1, stranded=2).space_out
    Vector(1 + permutation(1, 0) + permutation(1, 0))
    """

    pooling: Pooling = "mean"

    @property
    def space_out(self) -> Space:
        return Vector(self.rep)


def _linear(outputs: int, inputs: int, bias: bool) -> Weights:
    weights = {"weight": Weight((outputs, inputs), Normal(0.02))}
    if bias:
        weights["bias"] = Weight((outputs,), Constant(0.0), decay=False)
    return weights
