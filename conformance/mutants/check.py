"""A check: properties on fixed examples, so that a fault is found, or missed, each time alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import caduceus
from caduceus.conformance.catalogue import CATALOGUE
from caduceus.conformance.subjects import Subject
from caduceus.weights import owned

Check = Callable[[], Iterator[bool]]
"""Yields whether a property holds, one example after the other."""

LENGTH = 9

TORCH = Subject(caduceus.get_backend("torch"), "float64")
"""The portable backend: the kernels' faults are planted in it, and every model stands on it."""


def holds(prop: Any, *args: Any, **options: Any) -> bool:
    """Whether a property of `caduceus.conformance.properties` is within its bound for float64."""
    return bool(prop(*args, **options) <= prop.law.bound["float64"])


def refused(message: str, function: Callable[..., Any], *args: Any, **options: Any) -> bool:
    """Whether a call ends in a ValueError with that text in it."""
    try:
        function(*args, **options)
    except ValueError as error:
        return message in str(error)
    return False


def finds_a_fault(check: Check) -> bool:
    """Whether any property fails; a refusal (ValueError) of what should work is a failure too.

    Any other error goes up: a fault that crashes is found by everything, and says nothing about a check.
    """
    try:
        with np.errstate(all="ignore"):
            return not all(check())
    except ValueError:
        return True


def model(name: str, **fields: Any) -> Any:
    """A model of the catalogue, or a variant of it, built anew, so that a fault of building it has its effect."""
    spec = CATALOGUE[name].model_copy(update=fields)
    rng = np.random.default_rng(0)
    return TORCH.build(spec, {n: rng.normal(0.3, 0.5, weight.shape) for n, weight in owned(spec.weights()).items()})
