"""The project's source files, by the names under which they are installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = {"caduceus": "caduceus", "reference": "caduceus.reference", "conformance": "caduceus.conformance"}


def modules() -> Iterator[tuple[str, Path]]:
    """Dotted name and file of every module, packages by their own name: ``caduceus.parts``, ``caduceus.reference``."""
    for folder, package in PACKAGES.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            yield ".".join([package, *(part for part in parts if part != "__init__")]), path
