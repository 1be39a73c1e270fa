"""What an ablation found: a table on the terminal, and report.html with the learning curves."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from importlib.util import find_spec
from typing import Any

import numpy as np

from caduceus.recipes import figures
from caduceus.recipes.ablation import Ablation
from caduceus.recipes.page import NO_PICTURE, figure, heading, made_with, numbers, page, table
from caduceus.recipes.record import Record
from caduceus.recipes.run_dir import REPORT, RunFolder
from caduceus.recipes.schema import Results


def summary(recipe: Ablation, folder: RunFolder, results: Results) -> str:
    """The tables of a finished ablation, as text."""
    return "\n".join(_lines(recipe, folder, results))


def report(recipe: Ablation, folder: RunFolder, results: Results) -> str:
    """The page, whatever is finished of it."""
    done, total = _progress(recipe, results)
    return page(recipe, _sections(recipe, folder, results), again=done < total)


def curves(recipe: Ablation, folder: RunFolder) -> dict[str, np.ndarray]:
    """By member: tokens, and mean, lowest and highest bits per validation base over its runs (4, validations).

    Only validations that every run begun so far has reached.
    """
    found: dict[str, list[dict[float, float]]] = {}
    for member, _, own in recipe.folders(folder):
        seen = {row["tokens"]: row["valid/bits_per_base"] for row in Record.of(own).validations}
        if seen:
            found.setdefault(member, []).append(seen)  # type: ignore[arg-type]
    tables = {}
    for member, runs in found.items():
        tokens = sorted(set.intersection(*(set(run) for run in runs)))
        bits = np.array([[run[at] for at in tokens] for run in runs])
        tables[member] = np.stack([np.array(tokens, dtype=float), bits.mean(0), bits.min(0), bits.max(0)])
    return tables


def _progress(recipe: Ablation, results: Results) -> tuple[int, int]:
    return sum(map(len, results["bits_per_base"].values())), len(recipe.members) * len(recipe.seeds)


def _lines(recipe: Ablation, folder: RunFolder, results: Results) -> Iterator[str]:
    yield ""
    yield f"{recipe.name}: bits per held-out masked base, mean of {len(recipe.seeds)} seeds and its 95 % interval"
    for name, found in results["members"].items():
        size = f"{found['parameters']:,} parameters, {found['layers']} layers"
        yield f"  {name:<18}{_interval(found):<32}{size}"
    yield from (f"  counting: {name:<22}{bits:.4f}" for name, bits in results["counting"].items())
    if results["contrasts"]:
        yield ""
        yield "differences, paired by seed; above zero: the first needs more bits"
        for found in results["contrasts"]:
            yield f"  {found['member'] + ' - ' + found['against']:<30}{_interval(found, signed=True)}{_verdict(found)}"
    yield ""
    yield f"report      {folder.path / REPORT}"


def _sections(recipe: Ablation, folder: RunFolder, results: Results) -> Iterator[str]:
    done, total = _progress(recipe, results)
    yield from heading(recipe)
    if done < total:
        yield f'<p class="note">{done} of {total} runs are finished. This page is made anew after each.</p>'
    sizes = [found["parameters"] for found in results["members"].values()]
    yield numbers(
        [
            (str(len(recipe.members)), "members"),
            (str(len(recipe.seeds)), "seeds"),
            (f"{min(sizes):,}&ndash;{max(sizes):,}", "parameters"),
        ]
    )
    yield "<h2>Bits per held-out base</h2>"
    yield (
        "<p>All members see the same windows in the same order with the same masks, seed by seed, and are tested on "
        "the same masked bases. Less is better; 2 is a guess at random. Intervals: Student's t, 95 %, over seeds.</p>"
    )
    rows = ((escape(name), _interval(found), *_facts(found)) for name, found in results["members"].items())
    yield table(("", "bits per base", "parameters", "layers", "seconds a run", "equivariance error"), rows)
    yield from _contrasts(results)
    yield "<h2>Learning</h2>"
    if find_spec("matplotlib") is None:
        yield f"<p>{NO_PICTURE}</p>"
    elif tables := curves(recipe, folder):
        lines = [(f"counting: {name}", bits) for name, bits in results["counting"].items()]
        caption = "Validation as training goes on: the mean over seeds, and the band from the lowest to the highest."
        yield figure(figures.bands(tables, lines), caption)
    yield from made_with(recipe, folder.environment())


def _contrasts(results: Results) -> Iterator[str]:
    if not results["contrasts"]:
        return
    yield "<h2>Differences</h2>"
    yield "<p>Paired by seed. Above zero, the first needs more bits. Intervals are not corrected for their number.</p>"
    rows = (
        (
            escape(f"{found['member']} − {found['against']}"),
            _interval(found, signed=True),
            ", ".join(f"{difference:+.4f}" for difference in found["differences"].values()),
        )
        for found in results["contrasts"]
    )
    yield table(("", "bits per base", "seed by seed"), rows)


def _facts(found: dict[str, Any]) -> tuple[str, ...]:
    seconds, error = found.get("seconds"), found.get("largest_equivariance_error")
    return (
        f"{found['parameters']:,}",
        str(found["layers"]),
        f"{np.mean(seconds):,.0f}" if seconds else "",
        "" if error is None else f"{error:.3g}",
    )


def _interval(found: dict[str, Any], signed: bool = False) -> str:
    """``1.6912 [1.6871, 1.6953]``, as far as there are runs."""
    shape = "+.4f" if signed else ".4f"
    if found.get("mean") is None:
        return "no run yet"
    if found["low"] is None:
        return f"{found['mean']:{shape}}"
    return f"{found['mean']:{shape}} [{found['low']:{shape}}, {found['high']:{shape}}]"


def _verdict(found: dict[str, Any]) -> str:
    if found.get("low") is None:
        return ""
    return "" if found["low"] <= 0 <= found["high"] else "  *"
