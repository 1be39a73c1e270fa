"""Files of labelled sequences, and a place for small runs on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from caduceus.data import Table, read_table
from caduceus.recipes import tuning_report

Write = Callable[..., Table]


@pytest.fixture
def table(tmp_path: Path) -> Write:
    """``table("a.csv", text)``: the file, written and read."""

    def write(name: str, text: str) -> Table:
        path = tmp_path / name
        path.write_text(text)
        return read_table(path)

    return write


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, with two tables; one test row is a training row."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CADUCEUS_DATA", raising=False)
    rng = np.random.default_rng(5)
    lines = []
    for i in range(90):
        p = [0.15, 0.35, 0.35, 0.15] if i % 2 else [0.35, 0.15, 0.15, 0.35]
        lines.append(f"{''.join(rng.choice(list('ACGT'), int(rng.integers(50, 61)), p=p))},{['poor', 'rich'][i % 2]}")
    Path("train.csv").write_text("seq,y\n" + "\n".join(lines[:60]) + "\n")
    Path("test.csv").write_text("seq,y\n" + "\n".join([*lines[60:], lines[7]]) + "\n")
    monkeypatch.setattr(tuning_report, "find_spec", lambda name: None)  # pictures take longer than the runs
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path
    torch.set_num_threads(threads)
