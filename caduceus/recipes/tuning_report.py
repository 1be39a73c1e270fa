"""report.html of a fine-tuning run, whatever is finished of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from importlib.util import find_spec
from typing import Any

from caduceus.evaluate.catalogue import suite
from caduceus.recipes import tuning_figures
from caduceus.recipes.finetuning import Finetuning
from caduceus.recipes.page import NO_PICTURE, figure, heading, made_with, numbers, page, table
from caduceus.recipes.schema import Results
from caduceus.recipes.tuning_figures import ARM_COLOURS, Mark
from caduceus.recipes.tuning_report_task import Found, Shown, interval, task_section
from caduceus.recipes.tuning_table import HOW, NAMES, notes, spoken


def report(
    recipe: Finetuning,
    results: Results,
    tasks: Mapping[str, Shown],
    environment: dict[str, Any],
    waiting: int,
    jobs: int,
) -> str:
    """The page.

    Args:
        tasks: those of ``results``.
        waiting: jobs that are not done, of so many ``jobs``.
    """
    return page(recipe, _sections(recipe, results, tasks, environment, waiting, jobs), again=waiting > 0)


def _sections(
    recipe: Finetuning,
    results: Results,
    tasks: Mapping[str, Shown],
    environment: dict[str, Any],
    waiting: int,
    jobs: int,
) -> Iterator[str]:
    pictures = find_spec("matplotlib") is not None
    yield from heading(recipe)
    if recipe.protocol == "official":
        yield '<p class="note">Official protocol: the defects of the authors\' pipeline are restored.</p>'
    if waiting:
        yield (
            f'<p class="note">{jobs - waiting} of {jobs} trainings are done. This page is made anew after each; scores '
            "have intervals once their task is finished.</p>"
        )
    yield numbers(_headline(recipe, results))
    if not pictures:
        yield f"<p>{NO_PICTURE}</p>"
    yield from _overview(results, pictures)
    for name, found in results["tasks"].items():
        yield from task_section(name, found, tasks[name], pictures)
    if lines := "".join(f"<li>{escape(line)}</li>" for line in notes(results)):
        yield f'<h2>Notes</h2><ul class="small">{lines}</ul>'
    if recipe.suite is not None:
        sources = "; ".join(f"{name}: {where}" for name, where in suite(recipe.suite).sources.items())
        yield f'<p class="small">Published scores. {escape(sources)}.</p>'
    yield from made_with(recipe, environment)


def _headline(recipe: Finetuning, results: Results) -> Iterator[tuple[str, str]]:
    done = results["tasks"]
    of = "tasks" if recipe.suite is None else f"of the suite's {len(suite(recipe.suite).tasks)} tasks"
    yield f"{len(done)} of {len(recipe.tasks)}" if len(done) < len(recipe.tasks) else str(len(done)), of
    yield str(len(recipe.seeds)), "seeds"
    sizes = sorted(results["parameters"].values())
    yield f"{sizes[0]:,}" if sizes[0] == sizes[-1] else f"{sizes[0]:,}&ndash;{sizes[-1]:,}", "parameters"
    gains = [found["arms"]["untrained"].get("gain", {}) for found in done.values() if "untrained" in found["arms"]]
    known = [gain["low"] for gain in gains if gain.get("low") is not None]
    if known:
        yield f"{sum(low > 0 for low in known)} of {len(known)}", "tasks gain from pretraining"


def _overview(results: Results, pictures: bool) -> Iterator[str]:
    tasks = results["tasks"]
    if not tasks:
        yield "<p>No training is done yet.</p>"
        return
    yield f"<h2>All tasks</h2><p>{HOW}</p>"
    rows = []
    for name, found in tasks.items():
        arms = found["arms"]
        gains = (interval(arms.get(arm, {}).get("gain"), signed=True) for arm in ("untrained", "cnn", "kmers"))
        own = interval(arms.get("model", {}).get("score"))
        rows.append((f'<a href="#{escape(name)}">{escape(name)}</a>', spoken(found["metric"]), own, *gains))
    yield table(("", "metric", "this model", "gain over untrained", "over the CNN", "over the ridge"), rows, "kinds")
    drawn = [mark for name, found in tasks.items() for mark in _gains(name, found)]
    if pictures and drawn:
        label = "by how much the score of this model is better, with 95 % intervals"
        caption = "Right of zero, this model is ahead. The choice of test rows hardly explains a band clear of zero."
        yield figure(tuning_figures.marks(drawn, label, "Gain of this model over each other", zero=True), caption)


def _gains(task: str, found: Found) -> Iterator[Mark]:
    for arm, held in found["arms"].items():
        gain = held.get("gain", {})
        if gain.get("value") is not None:
            kind = "own" if arm == "untrained" else "baseline"
            name = f"{task}: over {'random weights' if arm == 'untrained' else NAMES[arm]}"
            yield Mark(name, gain["value"], gain["low"], gain["high"], (), ARM_COLOURS[arm], kind)  # type: ignore[arg-type]
