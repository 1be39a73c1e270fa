"""Sequences of a file to a Parquet file of embeddings, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from caduceus.data import Genome, Named, fasta_sequences, region_sequences, table_sequences
from caduceus.extras import require
from caduceus.predict import Embedder
from caduceus.recipes.answering import begin, introduce
from caduceus.recipes.asking import needed
from caduceus.recipes.embed_report import report
from caduceus.recipes.embedding import Embedding
from caduceus.recipes.growing import Growing, grow
from caduceus.recipes.prepare import refusing
from caduceus.recipes.progress import Progress
from caduceus.recipes.run_dir import REPORT, RunFolder
from caduceus.recipes.schema import Results
from caduceus.train.bar import say
from caduceus.train.files import written_whole
from caduceus.train.signals import Signals

OUTPUT = "embeddings.parquet"
# Tables of rows while they are computed, each an Arrow stream behind its length: a Parquet file cannot be continued.
_TABLES = "tables"
_LENGTH_BYTES = 8
_ROWS_AT_ONCE, _BASES_AT_ONCE = 1024, 1 << 20


def run(recipe: Embedding, files: dict[str, str], folder: RunFolder) -> Results:
    """Count, embed, write; what was embedded before is not embedded again."""
    needed("pyarrow.parquet", "predict")
    with Signals() as signals:
        embedder, count = _prepared(recipe, files)
        begin(recipe, files, folder)
        outputs = Growing(folder.path, [_TABLES])
        progress = _embed(embedder, _sequences(recipe, files), count, outputs, signals)
        rows, columns = _write(outputs.grown(_TABLES), folder.path / OUTPUT)
        results = {"sequences": count, "rows": rows, "columns": columns, "output": OUTPUT, "seconds": progress.seconds}
        folder.write(REPORT, report(recipe, results, folder.path / OUTPUT, folder.environment()))
        folder.finish(results)
        outputs.forget()
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
        count = sum(1 for _ in _sequences(recipe, files))
    introduce(recipe, model)
    return embedder, count


def _sequences(recipe: Embedding, files: dict[str, str]) -> Iterator[Named]:
    if "table" in files:
        return table_sequences(files["table"], recipe.column)
    if "regions" in files:
        return region_sequences(files["regions"], Genome(files["fasta"]))
    return fasta_sequences(files["fasta"])


def _embed(embedder: Embedder, sequences: Iterator[Named], count: int, outputs: Growing, signals: Signals) -> Progress:
    """Grow the tables by what is not in them yet."""
    chunks = _chunks(sequences, embedder.pooling == "none")
    done = sum(len(next(chunks)) for _ in range(outputs.done))
    if done:
        say(f"continuing from sequence {done + 1:,}")
    progress = Progress(count, done, "sequences")
    grow(outputs, (({_TABLES: _packed(embedder, chunk)}, len(chunk)) for chunk in chunks), progress, signals)
    return progress


def _chunks(sequences: Iterator[Named], unpooled: bool) -> Iterator[list[Named]]:
    """What is embedded between two saves. No batch reaches over its end, so that a continued run has the same ones."""
    chunk: list[Named] = []
    bases = 0
    for named in sequences:
        chunk.append(named)
        bases += len(named.sequence)
        if (bases if unpooled else len(chunk)) >= _ROWS_AT_ONCE or bases >= _BASES_AT_ONCE:
            yield chunk
            chunk, bases = [], 0
    if chunk:
        yield chunk


def _packed(embedder: Embedder, chunk: list[Named]) -> bytes:
    """The rows of some sequences as an Arrow stream, its length before it."""
    arrow, ipc = require("pyarrow", "predict"), require("pyarrow.ipc", "predict")
    found = zip(chunk, embedder(named.sequence for named in chunk), strict=True)
    table = _as_table([row for named, arrays in found for row in _rows(named.name, arrays, embedder)])
    sink = arrow.BufferOutputStream()
    with ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    text: bytes = sink.getvalue().to_pybytes()
    return len(text).to_bytes(_LENGTH_BYTES, "little") + text


def _unpacked(path: Path) -> Iterator[Any]:
    """The tables, in order."""
    ipc = require("pyarrow.ipc", "predict")
    with path.open("rb") as file:
        while length := file.read(_LENGTH_BYTES):
            yield ipc.open_stream(file.read(int.from_bytes(length, "little"))).read_all()


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


def _as_table(rows: list[dict[str, Any]]) -> Any:
    arrow = require("pyarrow", "predict")
    arrays = {}
    for key, value in rows[0].items():
        column = [row[key] for row in rows]
        if isinstance(value, np.ndarray):
            arrays[key] = arrow.FixedSizeListArray.from_arrays(arrow.array(np.concatenate(column)), len(value))
        else:
            arrays[key] = arrow.array(column)
    return arrow.table(arrays)


def _write(tables: Path, path: Path) -> tuple[int, dict[str, int]]:
    """The Parquet file, in row groups of `_ROWS_AT_ONCE` or more; how many rows, and the width of each vector."""
    arrow, parquet = require("pyarrow", "predict"), require("pyarrow.parquet", "predict")
    schema = next(_unpacked(tables)).schema
    waiting: list[Any] = []
    total = 0
    with written_whole(path) as file, parquet.ParquetWriter(file, schema) as writer:
        for table in _unpacked(tables):
            waiting.append(table)
            total += len(table)
            if sum(map(len, waiting)) >= _ROWS_AT_ONCE:
                writer.write_table(arrow.concat_tables(waiting))
                waiting = []
        if waiting:
            writer.write_table(arrow.concat_tables(waiting))
    return total, {field.name: field.type.list_size for field in schema if hasattr(field.type, "list_size")}
