"""Tracks over a genome as files: bedGraph, or bigWig."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np

from caduceus.extras import require
from caduceus.train.files import written_whole

SUFFIX = {"bedgraph": ".bedgraph", "bigwig": ".bw"}


class Track(Protocol):
    """Takes values in the order of the genome, each base once."""

    def add(self, contig: str, start: int, values: np.ndarray) -> None:
        """Values of the bases from ``start`` on; NaN is left out."""
        ...


class _BedGraph:
    def __init__(self, file: object) -> None:
        self._write = file.write  # type: ignore[attr-defined]

    def add(self, contig: str, start: int, values: np.ndarray) -> None:
        lines = (
            f"{contig}\t{start + i}\t{start + i + 1}\t{value:.6g}\n"
            for i, value in enumerate(values.tolist())
            if value == value
        )
        self._write("".join(lines).encode())


class _BigWig:
    def __init__(self, opened: object) -> None:
        self._add = opened.addEntries  # type: ignore[attr-defined]

    def add(self, contig: str, start: int, values: np.ndarray) -> None:
        known = np.flatnonzero(~np.isnan(values))
        if len(known):
            self._add(contig, (start + known).tolist(), values=values[known].tolist(), span=1)


@contextmanager
def tracks(folder: Path, names: list[str], kind: str, contigs: dict[str, int]) -> Iterator[dict[str, Track]]:
    """A track of each name, written to ``folder``; the files are there when the block ends, or not at all."""
    with ExitStack() as stack:
        paths = {name: folder / f"{name}{SUFFIX[kind]}" for name in names}
        opened: dict[str, Track] = {}
        for name, path in paths.items():
            if kind == "bedgraph":
                opened[name] = _BedGraph(stack.enter_context(written_whole(path)))
            else:
                opened[name] = _BigWig(stack.enter_context(_bigwig(path, contigs)))
        yield opened


@contextmanager
def _bigwig(path: Path, contigs: dict[str, int]) -> Iterator[object]:
    temporary = path.with_name(f".{path.name}")
    opened = require("pyBigWig", "predict").open(str(temporary), "w")
    opened.addHeader(list(contigs.items()))
    try:
        yield opened
        opened.close()
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
