"""As if a package were not installed, for tests of what is then said."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest


def uninstall(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """What `caduceus.extras.require` finds, whether the package is there or not; imports by statement go on."""
    original = importlib.import_module

    def without(name: str, relative_to: str | None = None) -> ModuleType:
        if name.partition(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        return original(name, relative_to)

    monkeypatch.setattr(importlib, "import_module", without)
