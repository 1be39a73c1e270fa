"""What the tests of data share: real files, golden files, and a cache of their own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Any]:
    """``golden(name)``: the recorded behaviour in ``golden/<name>.json``."""
    return lambda name: json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data outside the package, or a skip that says it was not there."""
    folder = os.environ.get("CADUCEUS_DATA")
    if not folder:
        pytest.skip("not run: no data (CADUCEUS_DATA is not set)")
    if not Path(folder).is_dir():
        pytest.fail(f"CADUCEUS_DATA names {folder}, which is not a folder")
    return Path(folder)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, so that no test sees what another or the user left."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("CADUCEUS_CACHE", str(folder))
    return folder
