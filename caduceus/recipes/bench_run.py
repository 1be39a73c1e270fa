"""A benchmark, checked and run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

from caduceus.backends.cpu.library import LibraryUnusable
from caduceus.backends.cpu.limits import Limits, measure_limits
from caduceus.backends.registry import get_backend
from caduceus.bench.agree import disagreement
from caduceus.bench.apart import Allowed
from caduceus.bench.clock import Turns
from caduceus.bench.contestant import Contestant
from caduceus.bench.derived import derived
from caduceus.bench.devices import DEVICES, copy_rate
from caduceus.bench.entries import entries
from caduceus.bench.measure import Conditions, measure
from caduceus.bench.work import Work
from caduceus.recipes.bench import Bench
from caduceus.recipes.bench_report import report
from caduceus.recipes.bench_table import card_line, limit_lines, row_lines
from caduceus.recipes.environment import here_and_now, installed, load
from caduceus.recipes.errors import Refused, closest
from caduceus.recipes.prepare import refusing
from caduceus.recipes.run_dir import REPORT, RESULTS, RunFolder
from caduceus.recipes.schema import Results
from caduceus.train.bar import say
from caduceus.train.machine import cuda_version, device_name, keep_freed_memory, processor, threads, use_threads
from caduceus.train.refreshing import tried

_AGREE = 64
"""Positions on which contestants are asked for the same outputs."""


def run(recipe: Bench, folder: RunFolder) -> Results:
    """Agree, measure the machine, time everything in turns; results at the end. A run that was stopped begins again."""
    contestants = prepared_contestants(recipe)
    errors = _agreement(recipe, contestants)
    if recipe.device == "cpu":
        keep_freed_memory()  # as in training, and for everybody
    folder.begin(_environment(recipe, contestants[0].name))
    load_before = load()
    limits, card = _limits(recipe), _card(recipe)
    conditions = _conditions(recipe, limits[-1] if limits else None)
    rows = []
    for work in recipe.works():
        for row in measure(work, contestants, conditions):
            rows.append(row)
            for line in row_lines(row):
                say(line)
    results: Results = {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "subject": contestants[0].name,
        "contestants": {contestant.name: contestant.about for contestant in contestants},
        "threads": threads(),
        "load": {"before": load_before, "after": load()},
        "limits": [found._asdict() for found in limits] or None,
        "card": card,
        "disagreement": errors,
        "rows": rows,
        "derived": derived(rows, contestants[0].name),
    }
    tried(lambda: folder.write(REPORT, report(recipe, results, folder.environment())), f"{RESULTS} holds the results")
    folder.finish(results)
    return results


def check(recipe: Bench) -> None:
    """Everything short of timing; print what would be timed."""
    contestants = prepared_contestants(recipe)
    _agreement(recipe, contestants)
    for work in recipe.works():
        lacking = {c.name: reason for c in contestants if (reason := c.lacks(work)) is not None}
        what = f"{work.variant} model" if work.variant else work.part
        who = ", ".join(c.name for c in contestants if c.name not in lacking)
        length = f"as many as fit, at most {work.length:,}" if work.longest else f"{work.length:,}"
        say(f"time   {what} {work.mode} {work.batch} x {length}: {who}")
    say("ready")


def prepared_contestants(recipe: Bench) -> list[Contestant]:
    """The subject and its peers, present and named on the terminal; Refused says what is missing."""
    if recipe.device not in DEVICES:
        raise Refused(f"device is {recipe.device!r}, which cannot be timed{closest(recipe.device, DEVICES)}")
    if (lacking := DEVICES[recipe.device].lacks()) is not None:
        raise Refused(f"device is {recipe.device!r}, and {lacking}")
    use_threads(recipe.threads)
    with refusing():
        subject = get_backend(recipe.backend, device=recipe.device).name if recipe.backend == "auto" else recipe.backend
        contestants = entries(subject, recipe.peers, recipe.device)
    say(f"{recipe.name}: {recipe.about}" if recipe.about else recipe.name)
    for contestant in contestants:
        say(f"       {contestant.name}: {contestant.about}")
    return contestants


def _agreement(recipe: Bench, contestants: list[Contestant]) -> dict[str, dict[str, float]]:
    """By what was computed and by name, the difference from the subject; AssertionError where it is no rounding."""
    found = {}
    for work in _distinct(recipe):
        what = work.part if work.variant is None else f"{work.variant} model"
        found[what] = disagreement(contestants, work, recipe.device)
        shown = ", ".join(f"{name} {error:.1e}" for name, error in found[what].items())
        say(f"agree  {what}: {shown or 'nobody to compare with'}")
    return found


def _distinct(recipe: Bench) -> Iterator[Work]:
    """The first work of each part and variant, small and forward."""
    seen = set()
    for work in recipe.works():
        if (work.part, work.variant) not in seen:
            seen.add((work.part, work.variant))
            yield Work(work.part, "forward", work.spec, 1, min(_AGREE, work.length))


def _conditions(recipe: Bench, limits: Limits | None) -> Conditions:
    timing, device = recipe.timing, DEVICES[recipe.device]
    memory = device.free() if timing.memory_gb is None else int(timing.memory_gb * 1e9)
    return Conditions(
        recipe.device,
        device,
        Turns(timing.rounds, timing.warmup, timing.turn_seconds),
        Allowed(timing.call_seconds, memory, threads()),
        limits,
    )


def _card(recipe: Bench) -> dict[str, Any] | None:
    """The GPU, and bytes a second of copying on it; None on a CPU."""
    if recipe.device != "cuda":
        return None
    rate = copy_rate(recipe.device, recipe.limits.memory_mb << 20, recipe.limits.seconds)
    card = {"name": device_name(), "copy": rate}
    say(card_line(card))
    return card


def _limits(recipe: Bench) -> list[Limits]:
    """Of a CPU, on one thread and on all that are used; none where the compiled library is absent."""
    found: list[Limits] = []
    if recipe.device != "cpu":
        return found
    for count in sorted({1, threads()}):
        try:
            limits = measure_limits(count, seconds=recipe.limits.seconds, memory=recipe.limits.memory_mb << 20)
        except LibraryUnusable as error:
            say(f"limits not measured, so times are set beside each other only: {error}")
            return []
        found.append(limits)
    for line in limit_lines([limits._asdict() for limits in found]):
        say(line)
    return found


def _environment(recipe: Bench, subject: str) -> dict[str, Any]:
    found = here_and_now(subject, recipe.device)
    packages = ("transformers", *(("mamba-ssm", "causal-conv1d", "triton") if recipe.device == "cuda" else ()))
    versions = found["versions"] | {name: installed(name) or "absent" for name in packages}
    if recipe.device == "cuda":
        versions["CUDA"] = cuda_version() or "absent"
    return found | {"processor": processor(), "precision": recipe.precision, "versions": versions}
