"""Which golden vectors of the official code are in this installation: all in a checkout, some in a wheel."""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"
UNIT_FILES = ("unit_selective_scan",)


def indexed() -> tuple[str, ...]:
    """Names of all golden cases and unit files that exist, present or not."""
    cases = json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))
    return (*(case["name"] for case in cases), *UNIT_FILES)


def present() -> tuple[str, ...]:
    """The names whose arrays are in this installation, in the order of `indexed`."""
    return tuple(name for name in indexed() if (FOLDER / f"{name}.npz").is_file())


def absent() -> tuple[str, ...]:
    """The names whose arrays are not in this installation."""
    return tuple(name for name in indexed() if name not in present())
