"""A check: properties on fixed examples, so that a fault is found, or missed, each time alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from hypothesis import settings

import caduceus
from caduceus.conformance.catalogue import CATALOGUE
from caduceus.conformance.mutants.mutant import Fault
from caduceus.conformance.subjects import Subject
from caduceus.weights import owned

Check = Callable[[], Iterator[bool]]
"""Yields whether a property holds, one example after the other."""

LENGTH = 9

TORCH = Subject(caduceus.get_backend("torch"), "float64")
"""The portable backend: the kernels' faults are planted in it, and every model stands on it."""


def holds(prop: Any, *args: Any, **options: Any) -> bool:
    """Whether a property of `caduceus.conformance.properties` is within its bound, for the dtype of a subject or
    float64."""
    dtype = args[0].dtype if args and isinstance(args[0], Subject) else "float64"
    return bool(prop(*args, **options) <= prop.law.bound[dtype])


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


def deep() -> bool:
    """Whether every check is to try every fault: the Hypothesis profile `deep`."""
    return settings.get_current_profile_name() == "deep"


def assert_found(fault: Fault, checks: Mapping[str, Check], note: Callable[[str, object], None]) -> None:
    """With ``fault`` planted: its killers find it, and the checks that cannot do not; ``note`` tells the summary."""
    tried = checks if deep() else (*fault.killers, *fault.missed_by)
    found = {name: finds_a_fault(checks[name]) for name in tried}
    note("mutant", fault.name)
    note("killed by", tuple(name for name in found if found[name]))
    note("missed by", fault.missed_by)
    assert fault.killers, "a fault that no check has to find"
    assert [name for name in fault.killers if not found[name]] == [], "these should have found it"
    assert [name for name in fault.missed_by if found[name]] == [], "these find it after all: move them to killers"
