"""Options, Hypothesis profiles and terminal summary of the suite; enabled with ``-p caduceus.conformance.plugin``.

Not a pytest entry point: that would act in every project of an environment that has this package.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from caduceus.conformance import summary, under_test
from caduceus.conformance.subjects import Case, Subject
from caduceus.extras import require

hypothesis = require("hypothesis", "test")
settings = hypothesis.settings

# A first example may build a model or compile a kernel, and machines are shared: time is no sign of a fault here.
_UNTIMED = settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True)
settings.register_profile("dev", _UNTIMED, max_examples=10)
settings.register_profile("ci", _UNTIMED, max_examples=30, derandomize=True, database=None)
settings.register_profile("deep", _UNTIMED, max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev"))

_ERRORS = pytest.StashKey[dict[str, float]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("caduceus", "caduceus conformance")
    group.addoption(
        "--backend",
        action="append",
        metavar="NAME|package.module:Backend",
        help="test this backend, and nothing that has no backend; may be given several times (default: all available)",
    )
    group.addoption(
        "--model",
        metavar="package.module:make",
        help="test only the model that this function without arguments returns: a spec (parts.Model, parts.Symmetrize, "
        "or a mixer's, which is put into a ps model), tried on every backend, or a built model",
    )
    group.addoption("--device", help="where torch backends compute (default: where the backend says, or else cpu)")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_ERRORS] = {}
    config.addinivalue_line("markers", "models(*requirements): which models of `case` the test is for")
    # Tensors here are tiny: threads would spend their time waiting for one another.
    torch.set_num_threads(1)
    if target := config.getoption("--model"):
        under_test.load_model(target)  # what is wrong with it ends the run here, and is told once


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    under_test.parametrize(metafunc)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With ``--model``, of the suite's files and folders only ``test_model_*.py``: no other need be imported."""
    inside = collection_path.parent == Path(__file__).parent
    if config.getoption("--model") and inside and not collection_path.name.startswith("test_model_"):
        return True
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    names = under_test.chosen(config)
    if names is None:
        return
    kept: dict[bool, list[pytest.Item]] = {True: [], False: []}
    for item in items:
        kept[bool(names & set(getattr(item, "fixturenames", ())))].append(item)
    config.hook.pytest_deselected(items=kept[False])
    items[:] = kept[True]


@pytest.fixture(scope="session")
def report_error(pytestconfig: pytest.Config) -> Callable[[str, float], None]:
    """``report_error(property, value)`` notes an observed error; the summary shows the largest of each property.

    It asserts nothing. Of the session's scope, so that tests under ``@given`` may use it.
    """
    errors = pytestconfig.stash[_ERRORS]

    def report(name: str, value: float) -> None:
        errors[name] = float(np.maximum(errors.get(name, 0.0), value))  # a NaN stays

    return report


@pytest.fixture(scope="session")
def hold(report_error: Callable[[str, float], None]) -> Callable[..., None]:
    """``hold(check, subject or case or whatever it takes, ...)``: the property holds, within its bound."""
    return partial(assert_held, report_error)


def assert_held(report: Callable[[str, float], None], check: Any, what: Any, *args: Any, **options: Any) -> None:
    """Report the error of ``check(what, ...)``, then assert that it is within the property's bound for the dtype.

    Args:
        what: a subject, which the property is given; a case, of which it is given the model; or anything else.
        options: arguments by name; ``dtype`` says which bound holds where ``what`` does not (default: float64).
    """
    tested = isinstance(what, Subject | Case)
    title, bounds = check.law
    dtype = what.dtype if tested else options.get("dtype", "float64")
    if dtype not in bounds:
        pytest.skip(f"not applicable: {title}: says nothing of {dtype}")
    error = check(what.model if isinstance(what, Case) else what, *args, **options)
    whom = f"{what}" if tested else options.get("dtype", "all")
    report(f"{title}{summary.WHOM}({whom}, at most {bounds[dtype]:g})", error)
    assert error <= bounds[dtype], f"{title}: error {error:.3g}, expected at most {bounds[dtype]:g}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Move what a test reported into its report, which reaches the summary also from another process."""
    errors = item.config.stash[_ERRORS]
    errors.clear()
    try:
        return (yield)
    finally:
        item.user_properties.extend((summary.PREFIX + name, value) for name, value in errors.items())


def pytest_report_header() -> str:
    return f"caduceus: Hypothesis profile {settings.get_current_profile_name()}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if found := summary.lines(terminalreporter):
        terminalreporter.section("caduceus conformance")
        for line in found:
            terminalreporter.write_line(line)
