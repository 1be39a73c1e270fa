"""What a run computes with, where that was left to the machine: its checkpoints remember it."""

from __future__ import annotations

from collections.abc import Mapping

from caduceus.interfaces import Backend
from caduceus.train import machine
from caduceus.train.bar import say
from caduceus.train.keeper import Unusable
from caduceus.train.settings import Training

Means = Mapping[str, str | int]
_BOUND = ("precision", "backend")
_SAID = {"threads": "threads", "instructions": "instruction set"}


def means(settings: Training, precision: str, backend: Backend) -> dict[str, str | int]:
    """The precision and the backend, which bind a run, and what else its last bits may depend on."""
    return {
        "precision": precision,
        "backend": backend.name,
        "threads": settings.threads or machine.threads(),
        "instructions": machine.instructions(backend, settings.accelerator),
    }


def compare(before: Means, now: Means) -> None:
    """Say with what else a run goes on than it began with.

    Args:
        before: as a checkpoint remembers it; empty if it is of a version that did not.

    Raises:
        Unusable: the precision or the backend is another.
    """
    for name in _BOUND:
        if name in before and before[name] != now[name]:
            raise Unusable(
                f"the checkpoint was written with {name} {before[name]}, this run computes with {now[name]}: give "
                f"--set {name}={before[name]} and this folder by --out, or another folder"
            )
    others = [name for name in _SAID if before.get(name, now[name]) != now[name]]
    if others:
        changes = ", ".join(f"{_SAID[name]} {now[name]} instead of {before[name]}" for name in others)
        say(f"continuing with {changes}: the last bits may differ from those of a run in one piece")
