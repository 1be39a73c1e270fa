"""What the summary says of planted faults: how many were found, and in the profile `deep`, or with ``-v``, by what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from caduceus.backends import registry
from caduceus.conformance.mutants.check import deep

Noted = Mapping[str, Any]
SQUARE = {"equivariance", "equivariance of golden models"}


@pytest.fixture(autouse=True)
def _auto_is_portable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults are planted in the source of the portable kernels; the compiled ones would answer in their place."""
    monkeypatch.setattr(registry, "_fastest", lambda device, dtype: registry.get_backend("torch"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    reports = (report for found in terminalreporter.stats.values() for report in found)
    calls = [dict(report.user_properties) for report in reports if getattr(report, "when", None) == "call"]
    faults = [noted for noted in calls if "killed by" in noted]
    if not faults:
        return
    terminalreporter.section("planted faults")
    terminalreporter.write_line(_counts(faults))
    if deep() or config.get_verbosity() > 0:
        for noted in faults:
            killers = ", ".join(noted["killed by"]) or "NOTHING"
            terminalreporter.write_line(f"{noted['mutant']}: killed by: {killers}")
    for line in _table(faults) if deep() else ():
        terminalreporter.write_line(line)


def _counts(faults: Sequence[Noted]) -> str:
    killed = sum(bool(noted["killed by"]) for noted in faults)
    blind = sum(bool(SQUARE & set(noted["missed by"])) for noted in faults)
    return f"{killed} of {len(faults)} killed; {blind} of them leave models equivariant: other checks kill those"


def _table(faults: Sequence[Noted]) -> Iterator[str]:
    """Of every check how many faults it kills, and how many no other does."""
    kills = Counter(name for noted in faults for name in noted["killed by"])
    alone = Counter(noted["killed by"][0] for noted in faults if len(noted["killed by"]) == 1)
    yield f"{'check':<40}{'kills':>6}{'alone':>6}"
    for name, count in kills.most_common():
        yield f"{name:<40}{count:>6}{alone[name]:>6}"
