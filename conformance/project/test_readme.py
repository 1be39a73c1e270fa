"""The two commands of the README, which are all the set-up there is; `.ci/run` runs the one of the tests."""

from __future__ import annotations

import re
from typing import Any

import pytest

from caduceus.conformance.project.sources import ROOT

SET_UP = r"python3\.11 -m venv \.venv && \.venv/bin/pip install -c constraints/cpu\.txt -e "
COMMANDS = {
    "quickstart": SET_UP + r"'\.\[plots\]' && \.venv/bin/python -m caduceus\.recipes run quickstart",
    "tests": SET_UP + r"'\.\[test\]' && \.venv/bin/pytest -n auto --dist loadfile conformance/",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_one_line_does_it_all(name: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.findall(rf"^<!-- command: {name} -->\n```bash\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert len(block) == 1
    assert re.fullmatch(COMMANDS[name] + "\n", block[0])


def test_the_example_runs() -> None:
    blocks = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert len(blocks) == 1
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile(blocks[0], "README.md", "exec"), names)
    assert names["model"].spec.mixers[1].width == 9
