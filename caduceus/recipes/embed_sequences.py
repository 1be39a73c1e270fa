"""Sequences of a file to a Parquet file of embeddings, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import tee
from typing import Any

import numpy as np

from caduceus.data import Genome, Named, fasta_sequences, region_sequences, table_sequences
from caduceus.extras import require
from caduceus.predict import Embedder
from caduceus.predict.models import inner_spec
from caduceus.recipes.asking import needed
from caduceus.recipes.embedding import Embedding
from caduceus.recipes.environment import surroundings
from caduceus.recipes.prepare import refusing
from caduceus.recipes.progress import Progress
from caduceus.recipes.run_dir import RunFolder
from caduceus.recipes.schema import Results
from caduceus.train.bar import say
from caduceus.train.files import written_whole
from caduceus.train.machine import kernels
from caduceus.train.signals import Signals

OUTPUT = "embeddings.parquet"
_ROWS_AT_ONCE = 1024


def run(recipe: Embedding, files: dict[str, str], folder: RunFolder) -> Results:
    """Count, embed, write; a run that was stopped begins again."""
    needed("pyarrow.parquet", "predict")
    with Signals():
        embedder, count = _prepared(recipe, files)
        now = surroundings(kernels(recipe.backend, recipe.accelerator).name, files)
        folder.refuse_other_files(now["data"])
        folder.begin(now)
        progress = Progress(count, 0, "sequences")
        rows, columns = _write(embedder, _sequences(recipe, files), folder, progress)
        progress.close()
        results = {"sequences": count, "rows": rows, "columns": columns, "output": OUTPUT, "seconds": progress.seconds}
        folder.finish(results)
        return results


def check(recipe: Embedding, files: dict[str, str]) -> None:
    """Load the model, name its layers, read every sequence once."""
    _, count = _prepared(recipe, files)
    say(f"data   {count:,} sequences")
    say("ready")


def _prepared(recipe: Embedding, files: dict[str, str]) -> tuple[Embedder, int]:
    """The model, and how many sequences there are: each was read once, so that what is wrong is said before work."""
    with refusing():
        model = recipe.load_model()
        embedder = Embedder(
            model,
            layers=recipe.layers,
            pooling=recipe.pooling,
            strands=recipe.strands,
            radius=recipe.radius,
            tokens=recipe.tokens,
        )
        parameters = sum(parameter.numel() for parameter in model.parameters())
        say(f"model  {recipe.model}: {parameters:,} parameters, {inner_spec(model).equivariance}")
        return embedder, sum(1 for _ in _sequences(recipe, files))


def _sequences(recipe: Embedding, files: dict[str, str]) -> Iterator[Named]:
    if "table" in files:
        return table_sequences(files["table"], recipe.column)
    if "regions" in files:
        return region_sequences(files["regions"], Genome(files["fasta"]))
    return fasta_sequences(files["fasta"])


def _write(
    embedder: Embedder, sequences: Iterator[Named], folder: RunFolder, progress: Progress
) -> tuple[int, dict[str, int]]:
    """Write every row; how many, and the width of each column of vectors."""
    parquet = require("pyarrow.parquet", "predict")
    names, texts = tee(sequences)
    writer: Any = None
    waiting: list[dict[str, Any]] = []
    total = 0
    with written_whole(folder.path / OUTPUT) as file:
        for named, found in zip(names, embedder(each.sequence for each in texts), strict=True):
            waiting += _rows(named.name, found, embedder)
            progress.add(1)
            if len(waiting) >= _ROWS_AT_ONCE:
                writer, total = _flushed(parquet, writer, file, waiting), total + len(waiting)
                waiting = []
        writer, total = _flushed(parquet, writer, file, waiting), total + len(waiting)
        columns = {field.name: field.type.list_size for field in writer.schema if hasattr(field.type, "list_size")}
        writer.close()
    return total, columns


def _rows(name: str, found: dict[str, np.ndarray], embedder: Embedder) -> Iterator[dict[str, Any]]:
    """Columns name, position (unpooled only, from 0), and one for each layer, or two: layer.forward, layer.reverse."""
    columns: dict[str, np.ndarray] = {}
    for layer, array in found.items():
        if embedder.strands == "both":
            columns |= {f"{layer}.forward": array[0], f"{layer}.reverse": array[1]}
        else:
            columns[layer] = array
    if embedder.pooling != "none":
        yield {"name": name, **columns}
        return
    for position in range(len(next(iter(columns.values())))):
        yield {"name": name, "position": position, **{key: array[position] for key, array in columns.items()}}


def _flushed(parquet: Any, writer: Any, file: Any, rows: list[dict[str, Any]]) -> Any:
    """Write rows as a group of their own; the writer, made with the first."""
    arrow = require("pyarrow", "predict")
    if not rows:
        return writer
    arrays = {}
    for key, value in rows[0].items():
        column = [row[key] for row in rows]
        if isinstance(value, np.ndarray):
            arrays[key] = arrow.FixedSizeListArray.from_arrays(arrow.array(np.concatenate(column)), len(value))
        else:
            arrays[key] = arrow.array(column)
    table = arrow.table(arrays)
    writer = writer or parquet.ParquetWriter(file, table.schema)
    writer.write_table(table)
    return writer
