"""What docs/gpu.md shows of the code is what the code gives."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from caduceus.backends.cuda import costs, install
from caduceus.backends.support import support_table
from caduceus.conformance.project.sources import ROOT

MACHINE = install.Machine("2.9.1+cu128", "12.8", (3, 11), True, "Linux", "x86_64")
LAYER = costs.Layer(d=256, e=512, n=16, r=16)


def fenced(text: str) -> str:
    return f"```text\n{text}\n```\n"


GENERATED: dict[str, Callable[[], str]] = {
    "backends": support_table,
    "commands": lambda: fenced("\n".join(install.commands(MACHINE))),
    "costs": lambda: fenced(costs.table(LAYER, tokens=131072, itemsize=2)),
}


@pytest.mark.parametrize("name", GENERATED)
def test_what_is_generated_is_up_to_date(name: str) -> None:
    text = (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8")
    found = re.search(rf"^<!-- generated: {name} -->\n(.*?\n)\n", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    assert found[1] == GENERATED[name](), "copy the second into docs/gpu.md"
