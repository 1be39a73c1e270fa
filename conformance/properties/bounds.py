"""How far from the truth a result may be, by dtype, and how properties carry their name and their bound.

A property is a plain function of a subject, a model or arrays, and examples: it returns the error that it observed, 0.0
where nothing is wrong. Whoever calls it compares the error with the property's ``bound``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

Bound = Mapping[str, float]

VALUES: Bound = {"float64": 1e-10, "float32": 2e-5, "bfloat16": 2e-2, "float16": 2e-3}
"""Values, where they are of the order of 1; relative to the largest where that is larger."""
GRADIENTS: Bound = {"float64": 1e-10, "float32": 1e-4}
"""Gradients, relative to the largest entry."""
MASKS: Bound = {"float64": 1e-12, "float32": 1e-5}
"""What padding and the rest of a batch may change."""
EXACT: Bound = {"float64": 0.0, "float32": 0.0, "bfloat16": 0.0, "float16": 0.0}


class Law(NamedTuple):
    """A property's name in the summary, and its bound by dtype."""

    title: str
    bound: Bound


class Property(Protocol):
    """A function that knows its law."""

    law: Law

    def __call__(self, *args: Any, **kwargs: Any) -> float: ...


F = TypeVar("F", bound=Callable[..., float])


def law(title: str, bound: Bound) -> Callable[[F], F]:
    """Give a property its name and its bound."""

    def note(check: F) -> F:
        check.law = Law(title, bound)  # type: ignore[attr-defined]
        return check

    return note


def distance(found: Any, expected: Any, where: Any = None) -> float:
    """Largest difference, divided by the largest expected value if that is above 1; infinite for NaN or another shape.

    Args:
        found, expected: arrays, or tuples of arrays. where: of the first array alone, the positions that count.
    """
    if isinstance(found, tuple):
        pairs = list(zip(found, expected, strict=True))
        return max(distance(a, b, where if i == 0 else None) for i, (a, b) in enumerate(pairs))
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape:
        return float("inf")
    if where is not None:
        found, expected = found[where], expected[where]
    if found.size == 0:
        return 0.0
    error = largest(found - expected)
    return error if error == float("inf") else error / max(1.0, largest(expected))


def largest(x: Any) -> float:
    """Largest magnitude; infinite if anything is NaN, 0 of nothing."""
    magnitudes = np.abs(np.asarray(x))
    if magnitudes.size == 0:
        return 0.0
    return float("inf") if np.isnan(magnitudes).any() else float(magnitudes.max())
