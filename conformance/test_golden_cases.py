"""The golden vectors of this installation are whole, and those it lacks are known."""

from __future__ import annotations

import json

from caduceus.conformance import golden_cases


def test_golden_cases_have_both_files() -> None:
    assert golden_cases.present()
    for name in set(golden_cases.present()) - set(golden_cases.UNIT_FILES):
        assert json.loads((golden_cases.FOLDER / f"{name}.json").read_text(encoding="utf-8"))["name"] == name


def test_golden_cases_are_present_or_absent() -> None:
    files = {path.stem for path in golden_cases.FOLDER.glob("*.npz")}
    assert files == set(golden_cases.present())
    assert set(golden_cases.indexed()) - files == set(golden_cases.absent())
