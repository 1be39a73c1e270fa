"""From a part's spec to the function that computes it, for the parts of this library and for third parties'.

Every function takes the weights of the part first, under the part's own names, ties resolved:

    embedding      f(weights, ids)                    -> (B, L, C)
    norm           f(weights, x)                      -> (B, L, C)
    mixer          f(weights, x, mask=None)           -> (B, L, C)
    strand mixer   f(weights, first, second, mask)    -> two of (B, L, C)
    head           f(weights, features, mask=None)    -> one strand's (B, L, outputs) or (B, outputs)

A third party's spec brings its own: a method ``reference()`` that returns such a function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from caduceus import parts
from caduceus.reference.arrays import Array, keep
from caduceus.reference.embedding import embed
from caduceus.reference.heads import strand_head
from caduceus.reference.mixers import bimamba, cross_strand, mamba
from caduceus.reference.norm import add_norm
from caduceus.reference.strands import flip_mask
from caduceus.spec import Spec
from caduceus.weights import Weight


class NoReference(NotImplementedError):
    """A part has no reference implementation, so there is nothing to compare its values with."""


def resolve(declared: Mapping[str, Weight], values: Mapping[str, Array]) -> dict[str, Array]:
    """The values with every tied weight filled in from the weight it is tied to."""
    found = dict(values)
    for name, weight in declared.items():
        source = name
        while declared[source].tied_to in declared:
            source = declared[source].tied_to or source
        if weight.tied_to is not None and source in values:
            found[name] = values[source]
    return found


def undeclared(spec: Spec) -> list[str]:
    """Prefixes of the weights of parts that do not say which they own."""
    if isinstance(spec, parts.Symmetrize):
        return [f"model.{prefix}" for prefix in undeclared(spec.model)]
    if isinstance(spec, parts.Model):
        return [f"{path}." for path, part in spec.named_parts() if not part.weights()]
    return [""]


def normalise(spec: parts.Norm, weights: Mapping[str, Array], x: Array) -> Array:
    """The norm without the addition."""
    return add_norm(x, weights["weight"], weights.get("bias"), eps=spec.eps, kind=spec.kind)[0]


_FORMULAS: dict[type[Spec], Callable[..., Any]] = {
    parts.Embedding: embed,
    parts.Norm: normalise,
    parts.Mamba: mamba,
    parts.BiMamba: bimamba,
    parts.CrossStrand: cross_strand,
    parts.MaskedLM: strand_head,
    parts.SequenceClassifier: strand_head,
    parts.TrackHead: strand_head,
    parts.VectorHead: strand_head,
}


def part_function(spec: Spec, path: str = "") -> Callable[..., Any]:
    """The function of a part, by the table above; what mixers and heads read, and mixers give, is 0 where masked.

    Args:
        spec: the part, its channels known.
        path: where it stands in a model, for messages.

    Raises:
        NoReference: the part is a third party's and has no ``reference()``.
    """
    name = f"{path} ({spec.kind_name})" if path else spec.kind_name
    if type(spec) in _FORMULAS:
        formula = partial(_FORMULAS[type(spec)], spec)
    elif hasattr(spec, "reference"):
        formula = spec.reference()
    else:
        raise NoReference(
            f"{name} has no reference: give its class a method reference(self) that returns "
            "f(weights, x, mask=None) -> y in NumPy"
        )
    wrap = {"mixer": _masked_mixer, "strand_mixer": _masked_strand_mixer, "head": _masked_head}.get(spec.role)
    return formula if wrap is None else wrap(formula, None if spec.uses_mask else name)


def _masked_mixer(formula: Callable[..., Any], maskless: str | None) -> Callable[..., Any]:
    def f(weights: Mapping[str, Array], x: Array, mask: Array | None = None) -> Array:
        mask = _usable(mask, maskless)
        return keep(formula(weights, keep(x, mask), mask), mask)

    return f


def _masked_strand_mixer(formula: Callable[..., Any], maskless: str | None) -> Callable[..., Any]:
    def f(weights: Mapping[str, Array], first: Array, second: Array, mask: Array | None = None) -> tuple[Array, Array]:
        mask = _usable(mask, maskless)
        a, b = formula(weights, keep(first, mask), keep(second, flip_mask(mask)), mask)
        return keep(a, mask), keep(b, flip_mask(mask))

    return f


def _masked_head(formula: Callable[..., Any], maskless: str | None) -> Callable[..., Any]:
    def f(weights: Mapping[str, Array], features: Array, mask: Array | None = None) -> Array:
        mask = _usable(mask, maskless)
        return formula(weights, keep(features, mask), mask)

    return f


def _usable(mask: Array | None, maskless: str | None) -> Array | None:
    """The mask, None if it masks nothing; a ValueError if it masks something and the part, named, ignores masks."""
    if mask is None or mask.all():
        return None
    if maskless is not None:
        raise ValueError(f"{maskless} ignores masks (uses_mask = False), received a mask that excludes positions")
    return mask
