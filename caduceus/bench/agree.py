"""Contestants that say they compute the same do: asserted before any of them is timed."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from caduceus.bench.contestant import Contestant, prepared
from caduceus.bench.work import Work

TOLERANCE = 1e-4
"""Largest difference, as a share of the largest output."""


def disagreement(contestants: Sequence[Contestant], work: Work, device: str) -> dict[str, float]:
    """By name, the largest difference of a contestant's outputs from the first's, as a share of the largest output.

    Args:
        device: a name of `devices.DEVICES`.

    Raises:
        AssertionError: it is above `TOLERANCE`: whose times would be of something else.
    """
    same = [c for c in contestants if c.computes(work) and c.lacks(work) is None]
    if not same:
        return {}
    outputs = [prepared(c, work, device)() for c in same]
    errors = {c.name: _difference(y, outputs[0]) for c, y in zip(same[1:], outputs[1:], strict=True)}
    for name, error in errors.items():
        if not error <= TOLERANCE:
            what = work.part if work.variant is None else f"{work.variant} model"
            raise AssertionError(
                f"{name} differs from {same[0].name} by {error:.3g} of the largest output of the {what}, expected at "
                f"most {TOLERANCE:g}: they do not compute the same"
            )
    return errors


def _difference(y: Tensor, expected: Tensor) -> float:
    return float((y - expected).abs().max() / expected.abs().max().clamp_min(1e-30))
