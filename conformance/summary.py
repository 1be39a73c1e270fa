"""What the suite says at its end: the largest error of every property, and what was not tested and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import caduceus
from caduceus.conformance import golden_cases

PREFIX = "largest error: "
WHOM = " | "
"""Between the name of a property and the backend or model of which the error is."""


def lines(terminalreporter: pytest.TerminalReporter) -> list[str]:
    """The lines of the section, none if there is nothing to say."""
    reports = [report for found in terminalreporter.stats.values() for report in found]
    left_out = [*_skipped(reports), *_absent_backends(), *_absent_golden(), *_narrowed(terminalreporter.config)]
    return [*_largest_errors(reports), *left_out]


def _largest_errors(reports: list[Any]) -> Iterator[str]:
    largest: dict[str, dict[str, float]] = defaultdict(dict)
    for report in reports:
        if getattr(report, "when", None) != "call":
            continue
        for key, value in report.user_properties:
            if key.startswith(PREFIX):
                name, _, whom = key.partition(WHOM)
                largest[name][whom] = float(np.maximum(largest[name].get(whom, 0.0), value))
    for name in sorted(largest):
        yield f"{name}: " + ", ".join(f"{value:.3g} {whom}".strip() for whom, value in sorted(largest[name].items()))


def _skipped(reports: list[Any]) -> Iterator[str]:
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in reports
        if getattr(report, "skipped", False) and isinstance(report.longrepr, tuple)
    )
    for reason, count in sorted(reasons.items()):
        yield f"{reason} ({count} test{'s' if count > 1 else ''})"


def _absent_backends() -> Iterator[str]:
    for info in caduceus.available_backends():
        if not info.available:
            yield f"backend not tested: {info.name}: {info.reason}"


def _absent_golden() -> Iterator[str]:
    if absent := golden_cases.absent():
        yield f"golden cases not in this installation ({len(absent)}): {', '.join(absent)}"


def _narrowed(config: pytest.Config) -> Iterator[str]:
    if model := config.getoption("--model"):
        yield f"--model {model}: the properties of models, on this one alone; the rest of the suite was left out"
    elif config.getoption("--backend"):
        yield "--backend: the properties of backends and of models on them; the rest of the suite was left out"
