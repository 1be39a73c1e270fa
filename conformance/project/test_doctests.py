"""Every example in a docstring holds."""

from __future__ import annotations

import doctest
import importlib

import pytest

from caduceus.conformance.project.sources import modules

PROMPT = ">>" + "> "
EXAMPLES = {name: count for name, path in modules() if (count := path.read_text(encoding="utf-8").count(PROMPT))}


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert results.failed == 0
    assert results.attempted == EXAMPLES[name], "an example stands where doctest does not find it"
