"""Shards of a scoring run, put together: the bytes that one run would have written."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import yaml

from caduceus.data import VariantFile
from caduceus.recipes.errors import Refused
from caduceus.recipes.run_dir import RECIPE, RESULTS
from caduceus.recipes.variant_text import BGZF_END, as_bytes, table_header
from caduceus.train.files import written_whole

_COPIED_AT_ONCE = 1 << 20


def join(runs: list[Path], out: Path) -> str:
    """Write the outputs of all shards into ``out``; what was done, in a line.

    Raises:
        Refused: a run is not finished, is of another recipe, or a shard is missing or given twice.
    """
    ordered = _ordered(runs)
    out.mkdir(parents=True, exist_ok=True)
    names = sorted(path.name for path in ordered[0].glob("variants.*"))
    for name in names:
        with written_whole(out / name) as file:
            for number, run in enumerate(ordered):
                _append(file, run / name, first=number == 0, last=number == len(ordered) - 1)
    return f"{len(ordered)} shards joined: " + ", ".join(str(out / name) for name in names)


def _ordered(runs: list[Path]) -> list[Path]:
    found: dict[int, Path] = {}
    first: dict[str, object] = {}
    count = 0
    for run in runs:
        if not (run / RESULTS).is_file():
            raise Refused(f"{run} holds no finished run: it has no {RESULTS}")
        recipe = yaml.safe_load((run / RECIPE).read_text(encoding="utf-8"))
        if recipe.get("task") != "variants":
            raise Refused(f"{run} is a run of task {recipe.get('task')}, expected variants")
        which, count = map(int, recipe.pop("shard").split("/"))
        recipe["shards"] = count
        first = first or recipe
        if recipe != first:
            differing = sorted(key for key in recipe if recipe[key] != first.get(key))
            raise Refused(f"{run} differs from {runs[0]} in {', '.join(differing)}: they are not parts of one run")
        if which in found:
            raise Refused(f"shard {which}/{count} is given twice: {found[which]} and {run}")
        found[which] = run
    if missing := [f"{i}/{count}" for i in range(1, count + 1) if i not in found]:
        raise Refused(f"shards {', '.join(missing)} are missing")
    return [found[i] for i in sorted(found)]


def _append(file: BinaryIO, path: Path, first: bool, last: bool) -> None:
    """Copy a shard: the header only of the first, the end mark of BGZF only of the last."""
    packed = path.suffix == ".gz"
    begin = 0 if first else len(_header(path, packed))
    end = path.stat().st_size - (len(BGZF_END) if packed and not last else 0)
    with path.open("rb") as shard:
        shard.seek(begin)
        while begin < end:
            piece = shard.read(min(_COPIED_AT_ONCE, end - begin))
            file.write(piece)
            begin += len(piece)


def _header(path: Path, packed: bool) -> bytes:
    if path.suffix == ".tsv":
        return table_header().encode()
    return as_bytes([line + "\n" for line in VariantFile(path).header], packed)
