"""report.html of embeddings: what there is, and a first look at each layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from caduceus.extras import require
from caduceus.recipes.drawing import BLUE, as_svg, new_figure
from caduceus.recipes.embedding import Embedding
from caduceus.recipes.page import NO_PICTURE, figure, heading, made_with, numbers, page, table
from caduceus.recipes.schema import Results

_MOST = 2_000
_PICTURES = 4


def report(recipe: Embedding, results: Results, path: Path, environment: dict[str, Any]) -> str:
    """The page, as HTML; ``path`` is the run's Parquet file."""
    return page(recipe, _sections(recipe, results, path, environment))


def _sections(recipe: Embedding, results: Results, path: Path, environment: dict[str, Any]) -> Iterator[str]:
    columns = results["columns"]
    yield from heading(recipe)
    yield numbers(
        [
            (f"{results['sequences']:,}", "sequences"),
            (f"{results['rows']:,}", "rows"),
            (f"{len(columns):,}", "column of vectors" if len(columns) == 1 else "columns of vectors"),
        ]
    )
    vectors = _sampled(path, list(columns), results["rows"])
    yield "<h2>The columns</h2>"
    rows = (
        (f"<code>{escape(name)}</code>", f"{width:,}", f"{length:.3g}", f"{spread:.3g}")
        for name, width in columns.items()
        for length, spread in [_facts(vectors[name])]
    )
    yield table(("column", "width", "mean length", "spread"), rows)
    pooled = "every position a row" if recipe.pooling == "none" else f"pooled by {recipe.pooling}"
    yield (
        f"<p><code>{escape(path.name)}</code>: {pooled}, strands: {recipe.strands}. The length is that of a vector, "
        "the spread the mean distance of a vector from the mean of all.</p>"
    )
    yield "<h2>A first look</h2>"
    if find_spec("matplotlib") is None:
        yield f"<p>{NO_PICTURE}</p>"
    elif results["rows"] < 3:
        yield "<p>Fewer than three vectors make no picture.</p>"
    else:
        shown = {name: vectors[name] for name in list(columns)[:_PICTURES]}
        among = f"{len(next(iter(shown.values()))):,} of {results['rows']:,} rows"
        caption = f"The first two principal components of each column, {among}, evenly spaced in the file."
        yield figure(_components(shown), caption)
    yield from made_with(recipe, environment)


def _sampled(path: Path, columns: list[str], rows: int) -> dict[str, np.ndarray]:
    """At most `_MOST` vectors of each column (n, width) float64, evenly spaced."""
    parquet = require("pyarrow.parquet", "predict")
    step = max(1, -(-rows // _MOST))
    found: dict[str, list[np.ndarray]] = {name: [] for name in columns}
    seen = 0
    for batch in parquet.ParquetFile(path).iter_batches(columns=columns):
        first = -seen % step
        seen += len(batch)
        for name in columns:
            column = batch.column(name)
            flat = column.flatten().to_numpy(zero_copy_only=False)
            found[name].append(flat.reshape(len(column), -1)[first::step])
    return {name: np.concatenate(parts).astype(np.float64) for name, parts in found.items()}


def _facts(vectors: np.ndarray) -> tuple[float, float]:
    """Mean length, and mean distance from the mean."""
    apart = np.linalg.norm(vectors - vectors.mean(0), axis=1)
    return float(np.linalg.norm(vectors, axis=1).mean()), float(apart.mean())


def principal(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first two principal components (n, 2), zero where there is none, and their shares of the variance (2,).

    >>> places, shares = principal(np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]]))
    >>> np.abs(places[:, 0]).round(6).tolist(), shares.round(6).tolist()
    ([5.0, 0.0, 5.0], [1.0, 0.0])
    """
    centred = vectors - vectors.mean(0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    places = np.zeros((len(vectors), 2))
    shares = np.zeros(2)
    count = min(2, len(s))
    places[:, :count] = u[:, :count] * s[:count]
    total = float((s**2).sum())
    shares[:count] = s[:count] ** 2 / total if total else 0.0
    return places, shares


def _components(columns: Mapping[str, np.ndarray]) -> str:
    across = min(2, len(columns))
    down = -(-len(columns) // across)
    drawing, axes = new_figure(7.2, 3.4 * down, down, across)
    panels = list(np.atleast_1d(axes).ravel())
    for here, (name, vectors) in zip(panels, columns.items(), strict=False):
        places, shares = principal(vectors)
        here.plot(*places.T, "o", color=BLUE, alpha=0.45, markersize=3, markeredgewidth=0)
        here.set_title(name, fontsize=10, loc="left")
        here.set_xlabel(f"{shares[0]:.0%} of the variance")
        here.set_ylabel(f"{shares[1]:.0%} of the variance")
        here.set_xticks([])
        here.set_yticks([])
    for here in panels[len(columns) :]:
        here.set_visible(False)
    return as_svg(drawing, "Principal components of the embeddings")
