"""What docs/gpu.md shows of the code is what the code gives."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from caduceus.backends.cuda import costs, counts, install
from caduceus.backends.support import support_table
from caduceus.conformance.project.sources import ROOT

MACHINE = install.Machine("2.9.1+cu128", "12.8", (3, 11), True, "Linux", "x86_64")
LAYER = counts.Layer(d=256, e=512, n=16, r=16)


def fenced(text: str) -> str:
    return f"```text\n{text}\n```\n"


GENERATED: dict[str, Callable[[], str]] = {
    "backends": support_table,
    "commands": lambda: fenced("\n".join(install.commands(MACHINE))),
    "forward": lambda: fenced(costs.table(LAYER, tokens=131072, itemsize=2)),
    "step": lambda: fenced(costs.table(LAYER, tokens=131072, itemsize=2, train=True)),
}


@pytest.mark.parametrize("name", GENERATED)
def test_what_is_generated_is_up_to_date(name: str) -> None:
    text = (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8")
    found = re.search(rf"^<!-- generated: {name} -->\n(.*?\n)\n", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    assert found[1] == GENERATED[name](), "copy the second into docs/gpu.md"


def test_what_is_said_of_the_gain_is_what_the_counts_allow() -> None:
    card = next(card for card in costs.CARDS if card.name == "H100 SXM")

    def gain(path: counts.Path, layer: counts.Layer, train: bool) -> float:
        least = (costs.seconds(of(layer), 131072, 2, card, train) for of in (counts.authors, path))
        return next(least) / next(least)

    wide = counts.Layer(d=1024, e=2048, n=16, r=64)
    found = [
        f"{gain(path, layer, train):.2f}"
        for path in (counts.fused, counts.walking_back)
        for layer in (LAYER, wide)
        for train in (False, True)
    ]
    text = " ".join((ROOT / "docs" / "gpu.md").read_text(encoding="utf-8").split())
    said = re.search(r"On an H100 they allow (.*?)\. The bytes", text)
    assert said is not None
    assert re.findall(r"\d\.\d\d", said[1]) == found
