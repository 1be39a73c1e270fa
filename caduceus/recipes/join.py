"""Shards of a scoring run, put together: the bytes that one run would have written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

import yaml
from Bio.bgzf import BgzfBlocks

from caduceus.data import VariantFile
from caduceus.data.text import BGZF_END
from caduceus.recipes.errors import Refused
from caduceus.recipes.run_dir import ENVIRONMENT, RECIPE, REPORT, RESULTS, json_text
from caduceus.recipes.variant_report import concluded
from caduceus.recipes.variant_scoring import VariantScoring
from caduceus.recipes.variant_text import TABLE_FILE, as_bytes, table_header
from caduceus.train.files import written_whole

_COPIED_AT_ONCE = 1 << 20


def join(runs: list[Path], out: Path) -> str:
    """Write the outputs of all shards into ``out``; what was done, in a line.

    Raises:
        Refused: a run is not finished, is of another recipe, or has other outputs than it wrote; a shard is missing or
            given twice, or is where the whole is to be.
    """
    if out.resolve() in [run.resolve() for run in runs]:
        raise Refused(f"{out} is one of the shards, expected another folder for what they are together")
    ordered = _ordered(runs)
    parts = _parts(ordered)
    out.mkdir(parents=True, exist_ok=True)
    for name, paths in parts.items():
        with written_whole(out / name) as file:
            for number, (path, records) in enumerate(paths.items(), 1):
                _append(file, path, 0 if number == 1 else records, last=number == len(paths))
    return f"{len(ordered)} shards joined: " + ", ".join(str(out / name) for name in [*parts, *_told(ordered, out)])


def _told(runs: list[Path], out: Path) -> tuple[str, ...]:
    """What says how the whole was made and what was found, as one run writes it; each shard's surroundings are kept."""
    fields = yaml.safe_load((runs[0] / RECIPE).read_text(encoding="utf-8"))
    recipe = VariantScoring.model_validate(fields | {"shard": "1/1"})
    each = [json.loads((run / RESULTS).read_text(encoding="utf-8")) for run in runs]
    total, seconds = (sum(one[name] for one in each) for name in ("records_of_shard", "seconds"))
    # Of a shard that was continued, both are of its last start alone.
    rate = sum(one["per_minute"] * one["seconds"] for one in each) / seconds if seconds else 0.0
    joined = each[0] | {"shard": "1/1", "records_of_shard": total, "seconds": seconds, "per_minute": rate}
    places = [json.loads((run / ENVIRONMENT).read_text(encoding="utf-8")) for run in runs]
    results, page = concluded(recipe, joined, out, places[0])
    shards = [{name: value for name, value in place.items() if name != "data"} for place in places]
    texts = {
        RECIPE: recipe.to_yaml(),
        ENVIRONMENT: json_text({"data": places[0]["data"], "shards": shards}),
        RESULTS: json_text(results),
        REPORT: page,
    }
    for name, text in texts.items():
        with written_whole(out / name) as file:
            file.write(text.encode())
    return tuple(texts)


def _parts(runs: list[Path]) -> dict[str, dict[Path, int]]:
    """Name of each output -> that of every shard, and where its records begin."""
    outputs = json.loads((runs[0] / RESULTS).read_text(encoding="utf-8"))["outputs"]
    return {name: {run / name: _header_ends(run / name) for run in runs} for name in outputs if name != REPORT}


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
        which, count = map(int, recipe["shard"].split("/"))
        part = _comparable(recipe, run) | {"shards": count}
        first = first or part
        if part != first:
            differing = sorted(key for key in part.keys() | first.keys() if part.get(key) != first.get(key))
            raise Refused(f"{run} differs from {runs[0]} in {', '.join(differing)}: they are not parts of one run")
        if which in found:
            raise Refused(f"shard {which}/{count} is given twice: {found[which]} and {run}")
        found[which] = run
    if missing := [f"{i}/{count}" for i in range(1, count + 1) if i not in found]:
        raise Refused(f"shards {', '.join(missing)} are missing")
    return [found[i] for i in sorted(found)]


def _comparable(recipe: dict[str, Any], run: Path) -> dict[str, object]:
    """What parts of one run have in common: the fields of the recipe, and what its files hold, wherever they lie."""
    paths = ("model", "fasta", "variants", "intervals")
    fields = {
        name: value for name, value in recipe.items() if name not in ("shard", "name", "about", "threads", *paths)
    }
    fields["controls"] = {name: value for name, value in recipe["controls"].items() if name != "genes"}
    data = json.loads((run / ENVIRONMENT).read_text(encoding="utf-8"))["data"]
    return fields | {name: held["sha256"] for name, held in data.items()}


def _append(file: BinaryIO, path: Path, begin: int, last: bool) -> None:
    """Copy a shard from ``begin`` on, the end mark of BGZF only of the last."""
    end = path.stat().st_size - (len(BGZF_END) if path.suffix == ".gz" and not last else 0)
    with path.open("rb") as shard:
        shard.seek(begin)
        while begin < end:
            piece = shard.read(min(_COPIED_AT_ONCE, end - begin))
            file.write(piece)
            begin += len(piece)


def _header_ends(path: Path) -> int:
    """Where the records begin: what holds the header is in blocks of its own, however well they were deflated."""
    if not path.is_file():
        raise Refused(f"there is no {path}, which the run wrote; shards are joined as they were written")
    lines = [table_header()] if path.name == TABLE_FILE else [line + "\n" for line in VariantFile(path).header]
    size = len(as_bytes(lines, False))
    if path.suffix != ".gz":
        return size
    end = 0
    with path.open("rb") as shard:
        for start, length, _, held in BgzfBlocks(shard):
            if size <= 0:
                break
            size -= held
            end = start + length
    if size:
        raise Refused(
            f"{path} was packed anew, so that its records do not begin with a block; give it as it was written"
        )
    return int(end)
