"""Options, Hypothesis profiles and terminal summary of the suite; enabled with ``-p caduceus.conformance.plugin``.

Not a pytest entry point: that would act in every project of an environment that has this package.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator

import numpy as np
import pytest

import caduceus
from caduceus.conformance import golden_cases
from caduceus.extras import require

hypothesis = require("hypothesis", "test")
settings = hypothesis.settings

# A first example may build a model or compile a kernel, and machines are shared: time is no sign of a fault here.
_UNTIMED = settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
settings.register_profile("dev", _UNTIMED, max_examples=10)
settings.register_profile("ci", _UNTIMED, max_examples=30, derandomize=True, print_blob=True, database=None)
settings.register_profile("deep", _UNTIMED, max_examples=500, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev"))

_ERRORS = pytest.StashKey[dict[str, float]]()
_PREFIX = "largest error: "


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("caduceus", "caduceus conformance")
    group.addoption(
        "--backend",
        action="append",
        metavar="NAME|package.module:Backend",
        help="test this backend; may be given several times (default: every available one)",
    )
    group.addoption(
        "--model",
        metavar="package.module:make",
        help="also test the model that this function without arguments returns",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_ERRORS] = {}


@pytest.fixture(scope="session")
def report_error(pytestconfig: pytest.Config) -> Callable[[str, float], None]:
    """``report_error(property, value)`` notes an observed error; the summary shows the largest of each property.

    It asserts nothing. Of the session's scope, so that tests under ``@given`` may use it.
    """
    errors = pytestconfig.stash[_ERRORS]

    def report(name: str, value: float) -> None:
        errors[name] = float(np.maximum(errors.get(name, 0.0), value))  # a NaN stays

    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Move what a test reported into its report, which reaches the summary also from another process."""
    errors = item.config.stash[_ERRORS]
    errors.clear()
    try:
        return (yield)
    finally:
        item.user_properties.extend((_PREFIX + name, value) for name, value in errors.items())


def pytest_report_header() -> str:
    return f"caduceus: Hypothesis profile {settings.get_current_profile_name()}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = [*_largest_errors(terminalreporter), *_absent_backends(), *_absent_golden()]
    if lines:
        terminalreporter.section("caduceus conformance")
        for line in lines:
            terminalreporter.write_line(line)


def _largest_errors(terminalreporter: pytest.TerminalReporter) -> Iterator[str]:
    largest: dict[str, float] = {}
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        if getattr(report, "when", None) != "call":
            continue
        for key, value in report.user_properties:
            if key.startswith(_PREFIX):
                largest[key] = float(np.maximum(largest.get(key, 0.0), value))
    for key in sorted(largest):
        yield f"{key}: {largest[key]:.3g}"


def _absent_backends() -> Iterator[str]:
    for info in caduceus.available_backends():
        if not info.available:
            yield f"backend not tested: {info.name}: {info.reason}"


def _absent_golden() -> Iterator[str]:
    if absent := golden_cases.absent():
        yield f"golden cases not in this installation ({len(absent)}): {', '.join(absent)}"
