"""Checks against golden vectors: the authors' models, loaded from folders such as they publish, in float64."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import caduceus
from caduceus.conformance.checkpoints.folders import golden, identical
from caduceus.conformance.mutants.check import TORCH, Check, holds
from caduceus.conformance.properties.equivariance import check_equivariance
from caduceus.conformance.properties.golden import CASES, check_golden_gradients, check_golden_values, loaded


@contextmanager
def _loaded(name: str) -> Iterator[Any]:
    with TemporaryDirectory() as folder:
        yield loaded(TORCH, name, Path(folder))


def values() -> Iterator[bool]:
    for name in CASES:
        with TemporaryDirectory() as folder:
            yield holds(check_golden_values, TORCH, name, Path(folder))


def gradients() -> Iterator[bool]:
    for name in CASES:
        with TemporaryDirectory() as folder:
            yield holds(check_golden_gradients, TORCH, name, Path(folder))


def square() -> Iterator[bool]:
    """The authors' own test of their models: it sees nothing of the half swap."""
    for name in CASES:
        if name.startswith("ps"):
            with _loaded(name) as model:
                yield holds(check_equivariance, model.eval(), golden(name).arrays["input_ids"])


def way_back() -> Iterator[bool]:
    """What was loaded, under official names again, is what the file holds."""
    for name in CASES:
        with _loaded(name) as model:
            yield identical(caduceus.official_state(model.float()), golden(name).tensors)


CHECKS: dict[str, Check] = {
    "golden values": values,
    "golden gradients": gradients,
    "equivariance of golden models": square,
    "golden files and back": way_back,
}
