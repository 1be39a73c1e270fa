"""report.html of scored regions: how many bases, and how entropy, probability and log-likelihood are spread."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from caduceus.predict.regions import TRACKS
from caduceus.recipes.page import NO_PICTURE, figure, heading, made_with, numbers, page, table
from caduceus.recipes.region_scoring import RegionScoring
from caduceus.recipes.schema import Results
from caduceus.recipes.score_figures import Spread, histograms

_MOST = 200_000
_ABOUT = {
    "entropy": "Of the probabilities of A, C, G and T, in bits: 0 where the model is sure, 2 where it has no idea.",
    "ref_prob": "The probability of the base that is there.",
    "log_likelihood": "log<sub>2</sub> of that probability, in bits: 0 at best, −2 for a guess at random.",
}


def report(recipe: RegionScoring, results: Results, values: Path, environment: dict[str, Any]) -> str:
    """The page, as HTML; ``values`` holds the tracks of every base, (bases, 3) float64."""
    return page(recipe, _sections(recipe, results, values, environment))


def _sections(recipe: RegionScoring, results: Results, values: Path, environment: dict[str, Any]) -> Iterator[str]:
    mean = results["mean"]
    yield from heading(recipe)
    told = [(f"{results['bases']:,}", "bases"), (f"{results['known']:,}", "of them A, C, G or T")]
    if results["known"]:
        told.append((f"{-mean['log_likelihood']:.3f}", "bits per hidden base"))
        told.append((f"{mean['entropy']:.3f}", "bits of entropy"))
    yield numbers(told)
    yield "<h2>The tracks</h2>"
    outputs = zip(TRACKS, results["outputs"], strict=True)
    means = {name: f" Mean: {value:.4f}." if results["known"] else "" for name, value in mean.items()}
    rows = ((f"<code>{escape(file)}</code>", _ABOUT[name] + means[name]) for name, file in outputs)
    yield table((), rows, "facts")
    how = "each by itself" if recipe.every is None else f"one in {recipe.every} at a time"
    yield f"<p>Every base was hidden, {how}, and read with {recipe.window // 2:,} bases on either side.</p>"
    if find_spec("matplotlib") is None:
        yield f"<p>{NO_PICTURE}</p>"
    elif results["known"]:
        table_of_bases = np.memmap(values, dtype=np.float64, mode="r").reshape(-1, len(TRACKS))
        step = -(-len(table_of_bases) // _MOST)
        sample = table_of_bases[::step]
        sample = sample[~np.isnan(sample[:, 0])]
        every = "" if step <= 1 else f" Of one base in {step:,}."
        spreads = {name: Spread(np.asarray(column)) for name, column in zip(TRACKS, sample.T, strict=True)}
        yield figure(histograms(spreads), f"How often each value occurs; the ends hold what lies beyond.{every}")
    yield from made_with(recipe, environment)
