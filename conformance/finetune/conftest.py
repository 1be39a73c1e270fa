"""Files of labelled sequences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from caduceus.data import Table, read_table

Write = Callable[..., Table]


@pytest.fixture
def table(tmp_path: Path) -> Write:
    """``table("a.csv", text)``: the file, written and read."""

    def write(name: str, text: str) -> Table:
        path = tmp_path / name
        path.write_text(text)
        return read_table(path)

    return write
