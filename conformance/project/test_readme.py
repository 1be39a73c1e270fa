"""The two commands of the README, which are all the set-up there is; `.ci/run` runs the one of the tests."""

from __future__ import annotations

import re

import pytest

from caduceus.conformance.project.sources import ROOT

SET_UP = r"python3\.11 -m venv \.venv && \.venv/bin/pip install -c constraints/cpu\.txt -e "
COMMANDS = {
    "quickstart": SET_UP + r"\. && \.venv/bin/python -m caduceus\.recipes run quickstart",
    "tests": SET_UP + r"'\.\[test\]' && \.venv/bin/pytest conformance/",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_one_line_does_it_all(name: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.findall(rf"^<!-- command: {name} -->\n```bash\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert len(block) == 1
    assert re.fullmatch(COMMANDS[name] + "\n", block[0])
