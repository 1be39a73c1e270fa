"""report.html of scored variants: what was scored and what not, how the scores are spread, how well they rank."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from caduceus.data import REASONS
from caduceus.recipes.page import NO_PICTURE, figure, heading, made_with, numbers, page, table
from caduceus.recipes.schema import Results
from caduceus.recipes.score_figures import Ranked, Spread, histograms, intervals
from caduceus.recipes.score_figures import roc as roc_picture
from caduceus.recipes.variant_ranking import ranking, roc
from caduceus.recipes.variant_scoring import VariantScoring
from caduceus.recipes.variant_text import COLUMNS, TABLE_FILE

# The scores of the model itself; the others are controls.
OWN = ("llr", "ref_prob", "distance", "pll", "pll_mean")
_MOST = 100_000
_GROUPS = {"all": "All", "training": "In training intervals", "elsewhere": "Outside of training intervals"}
_CURVES = ("llr", "distance", "untrained_llr", "trinucleotide", "tss_distance")
_MEASURES = {"auroc": "area under the ROC curve", "spearman": "Spearman's rank correlation"}


def concluded(
    recipe: VariantScoring, results: Results, folder: Path, environment: dict[str, Any]
) -> tuple[Results, str]:
    """What was found, with the ranking of the table in ``folder`` where the truth is known; and the page, as HTML."""
    path = folder / TABLE_FILE
    if recipe.truth:
        results = results | {"ranking": ranking(path, recipe.truth)}
    return results, page(recipe, _sections(recipe, results, path, environment))


def _sections(recipe: VariantScoring, results: Results, path: Path, environment: dict[str, Any]) -> Iterator[str]:
    pictures = find_spec("matplotlib") is not None
    yield from heading(recipe)
    shard = "" if results["shard"] == "1/1" else f" of shard {escape(results['shard'])}"
    told = [
        (f"{results['records_of_shard']:,}", f"records{shard}"),
        (f"{results['scored']:,}", f"of {results['alleles']:,} alternate alleles to be scored"),
    ]
    if results["per_minute"]:
        told.append((f"{results['per_minute']:,.0f}", "records a minute"))
    yield numbers(told)
    yield from _passed_through(results)
    if results.get("ranking"):
        yield from _ranking(recipe, results["ranking"], path, pictures)
    yield from _spread(results, path, pictures)
    yield "<h2>Columns</h2>"
    cells = ((f"<code>{escape(name)}</code>", escape(about)) for name, (_, about) in COLUMNS.items())
    yield f"<details><summary>What each score is</summary>{table((), cells, 'facts')}</details>"
    yield from made_with(recipe, environment)


def _passed_through(results: Results) -> Iterator[str]:
    yield "<h2>What was not scored</h2>"
    if results["not_scored"]:
        rows = ((f"{count:,}", escape(REASONS[word])) for word, count in results["not_scored"].items())
        yield table((), rows, "facts")
    else:
        yield "<p>Every alternate allele could be scored.</p>"
    if results["mismatched"]:
        yield f"<p>{results['mismatched']:.2%} of the references that could be compared differ from the genome.</p>"
    else:
        yield "<p>Every reference that could be compared is what the genome has.</p>"
    if results["renamed"]:
        names = ", ".join(f"{escape(a)} is {escape(b)}" for a, b in sorted(results["renamed"].items()))
        yield f"<p>Contigs of another name: {names}.</p>"


def _ranking(recipe: VariantScoring, groups: dict[str, Any], path: Path, pictures: bool) -> Iterator[str]:
    yield "<h2>How well damaging variants are told</h2>"
    assert recipe.truth
    yield (
        f"<p>Held against <code>{escape(recipe.truth.field)}</code>, controls beside the model. Every score is turned "
        "so that damaging variants are expected high. A score that tells nothing has an area of 0.5, or a correlation "
        "of 0. Intervals, 95&nbsp;%, take variants as independent.</p>"
    )
    for group, scores in groups.items():
        measures = {found["measure"] for found in scores.values() if "value" in found}
        if not measures:
            continue
        yield f"<h3>{_GROUPS[group]}: {max(found.get('n', 0) for found in scores.values()):,} variants</h3>"
        if pictures:
            yield figure(_picture(scores, measures.pop()))
        yield table(("", "value", "95&nbsp;%", "variants"), _rows(scores), "scores")
    curves = roc(path, recipe.truth)
    if pictures and curves:
        chosen = {name: curves[name] for name in _CURVES if name in curves}
        yield figure(f'<div class="square">{roc_picture(chosen, OWN)}</div>', "All variants; the diagonal is a guess.")


def _picture(scores: dict[str, Any], measure: str) -> str:
    told = [
        Ranked(name, found.get("value"), found.get("low"), found.get("high"), own=name in OWN)
        for name, found in scores.items()
    ]
    return intervals({_MEASURES[measure]: told}, chance=0.5 if measure == "auroc" else 0.0)


def _rows(scores: dict[str, Any]) -> Iterator[Sequence[str]]:
    for name, found in scores.items():
        shown = escape(name) if name in OWN else f"control: {escape(name)}"
        if "value" not in found:
            yield shown, "not defined", "", f"{found['n']:,}"
            continue
        interval = f"{found['low']:.3f} to {found['high']:.3f}" if "low" in found else ""
        yield shown, f"{found['value']:.3f}", interval, f"{found['n']:,}"


def _spread(results: Results, path: Path, pictures: bool) -> Iterator[str]:
    yield "<h2>The scores</h2>"
    if not pictures:
        yield f"<p>{NO_PICTURE}</p>"
        return
    step = -(-results["alleles"] // _MOST)
    values = _sampled(path, step)
    spreads = {name: Spread(values[name]) for name in OWN if len(values[name])}
    if "llr" in spreads and len(values["untrained_llr"]):
        spreads["llr"] = Spread(values["llr"], values["untrained_llr"], ("this model", "the same network, untrained"))
    if not spreads:
        yield "<p>No allele has a score.</p>"
        return
    every = "" if step <= 1 else f" Of one allele in {step:,}."
    yield figure(histograms(spreads), f"How often each value occurs; the ends hold what lies beyond.{every}")


def _sampled(path: Path, step: int) -> dict[str, np.ndarray]:
    """The numbers in each column of one row in ``step``; rows without one are left out."""
    wanted = [*OWN, "untrained_llr"]
    found: dict[str, list[float]] = {name: [] for name in wanted}
    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        names = next(file).rstrip("\n").split("\t")
        at = {name: names.index(name) for name in wanted}
        for line in islice(file, 0, None, max(1, step)):
            fields = line.rstrip("\n").split("\t")
            for name, column in at.items():
                if fields[column]:
                    found[name].append(float(fields[column]))
    return {name: np.array(numbers) for name, numbers in found.items()}
