"""Which property holds of which model: a requirement says why a property does not apply to a spec, or nothing."""

from __future__ import annotations

from collections.abc import Callable

from caduceus import parts, reference
from caduceus.alphabet import TOKENS
from caduceus.alphabet import dna as dna_of
from caduceus.spec import Spec
from caduceus.symmetry import Strands, Track

Requirement = Callable[[Spec], "str | None"]


def inner(spec: Spec) -> parts.Model:
    """The model itself, under whatever averages."""
    return spec.model if isinstance(spec, parts.Symmetrize) else spec  # type: ignore[return-value]


def equivariant(spec: Spec) -> str | None:
    """The model promises the commuting square."""
    conjoined = getattr(inner(spec).head, "conjoin", "none") != "none"
    if isinstance(spec, parts.Symmetrize) or inner(spec).equivariance == "ps" or conjoined:
        return None
    return f"equivariance: {inner(spec).equivariance} promises none"


def equivariant_in_training(spec: Spec) -> str | None:
    """Nothing is random in training; only a head that conjoins outside of it is another function there."""
    outside = getattr(inner(spec).head, "conjoin", "none") == "eval" and not isinstance(spec, parts.Symmetrize)
    return equivariant(spec) or ("conjoin: eval promises nothing in training" if outside else None)


def dna(spec: Spec) -> str | None:
    """It reads DNA."""
    alphabet = inner(spec).space_in.alphabet  # type: ignore[attr-defined]
    return None if alphabet.size >= len(TOKENS) and alphabet == dna_of(alphabet.size) else "its alphabet is not DNA's"


def with_strands(spec: Spec) -> str | None:
    """Its features are a pair of strands."""
    if isinstance(spec, parts.Symmetrize) or inner(spec).equivariance == "ps":
        return None
    return f"equivariance: {inner(spec).equivariance} has one strand"


def masked(spec: Spec) -> str | None:
    """It uses masks."""
    ignoring = [f"mixers.{i}" for i, part in enumerate(inner(spec).mixers) if not part.uses_mask]
    return f"{', '.join(ignoring)} declares uses_mask = False" if ignoring else None


def plain(spec: Spec) -> str | None:
    """It is a model by itself, not an average of one."""
    return "an average has no parts of its own" if isinstance(spec, parts.Symmetrize) else None


def embedding(spec: Spec) -> str | None:
    """It has this library's embedding at hand."""
    return plain(spec) or (None if type(inner(spec).embedding) is parts.Embedding else "its embedding is not a table")


def mixing(spec: Spec) -> str | None:
    """Its first part after the embedding is a mixer of one strand, at hand."""
    mixers = inner(spec).mixers
    return plain(spec) or (None if mixers and mixers[0].role == "mixer" else "it has no mixer of one strand in front")


def with_plain_twin(spec: Spec) -> str | None:
    """It is a ps model whose strands never meet before the head: a plain model can have its weights."""
    if isinstance(spec, parts.Symmetrize) or inner(spec).equivariance != "ps":
        return "it is no ps model"
    return "its strands mix" if any(part.role == "strand_mixer" for part in inner(spec).mixers) else None


def with_reference(spec: Spec) -> str | None:
    """Every part has a reference to compare with."""
    try:
        for path, part in inner(spec).named_parts():
            reference.part_function(part, path)
    except reference.NoReference as error:
        return str(error)
    return None


def reads_both_ways(spec: Spec) -> str | None:
    """Every output depends on both sides of it."""
    if not isinstance(spec.space_out, Track | Strands):
        return "its output has no positions"
    mixers = inner(spec).mixers
    kinds = {part.direction for part in mixers if isinstance(part, parts.Mamba)}
    if any(isinstance(part, parts.BiMamba) for part in mixers) or len(kinds) == 2:
        return None
    if kinds and with_strands(spec) is None:
        return None
    return "its mixers walk one way, or do not say how far they read"


REQUIREMENTS: dict[str, Requirement] = {
    f.__name__: f
    for f in (
        equivariant,
        equivariant_in_training,
        dna,
        with_strands,
        masked,
        plain,
        embedding,
        mixing,
        with_plain_twin,
        reads_both_ways,
    )
}
