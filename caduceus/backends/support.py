"""What each backend of this library supports, read from its class, as the table of docs/gpu.md.

python -m caduceus.backends.support
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from caduceus.backends.registry import targets

HEADER = (
    "backend",
    "dtypes",
    "directions",
    "mask",
    "state",
    "derivatives",
    "gradients repeat to the bit",
    "d_state",
    "d_conv",
    "whole Mamba in one",
)


def support_table() -> str:
    """A Markdown table, a line for each backend."""
    lines = [HEADER, ("---",) * len(HEADER), *(_row(name, _class(target)) for name, target in targets().items())]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _class(target: str) -> Any:
    """The backend's class, which need not be able to run here."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def _row(name: str, backend: Any) -> tuple[str, ...]:
    takes = inspect.signature(backend.selective_scan).parameters
    most_taps = getattr(backend, "most_taps", None)
    return (
        f"`{name}`",
        ", ".join(backend.dtypes),
        "both" if "reverse" in takes else "forward",
        "yes" if "mask" in takes else "no",
        "in and out" if "state" in takes else "no",
        _derivatives(name, backend),
        "yes" if getattr(backend, "deterministic", True) else "no",
        _limit(getattr(backend, "most_states", None)),
        _limit(most_taps) + (", more by torch operations" if most_taps else ""),
        "yes" if hasattr(backend, "fused_mamba") else "no",
    )


def _derivatives(name: str, backend: Any) -> str:
    if name == "reference":
        return "complex step"
    return "first and second" if getattr(backend, "twice_differentiable", False) else "first"


def _limit(most: int | None) -> str:
    return "any" if most is None else f"up to {most}"


if __name__ == "__main__":
    print(support_table(), end="")
