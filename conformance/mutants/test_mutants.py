"""Every planted fault is found by the checks that are said to find it; the library as it is passes them all.

In the profile `deep` every check runs on every fault, and the summary shows how many faults each check finds.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from caduceus.conformance.mutants import check
from caduceus.conformance.mutants.everything import CHECKS, MUTANTS
from caduceus.conformance.mutants.mutant import Mutant
from caduceus.symmetry import Tokens, flip


@pytest.mark.parametrize("name", CHECKS)
def test_the_library_as_it_is_passes(name: str) -> None:
    assert all(CHECKS[name]())


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_fault_is_found(mutant: Mutant, record_property: Callable[[str, object], None]) -> None:
    with mutant.planted():
        check.assert_found(mutant, CHECKS, record_property)


def test_every_check_finds_something() -> None:
    assert CHECKS.keys() - {name for mutant in MUTANTS for name in mutant.killers} == set()


def test_names_are_unique() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 20


def test_a_fault_is_wherever_the_function_was_imported_and_goes_again() -> None:
    fault = Mutant("probe", "caduceus.symmetry:flip", ("np.flip(x, axis)", "x"), killers=())
    x = np.array([[7, 7, 8]])
    with fault.planted():
        assert Tokens().act(x).tolist() == [[10, 10, 9]]
        assert flip(x, 1).tolist() == [[7, 7, 8]]
    assert flip(x, 1).tolist() == [[8, 7, 7]]


@pytest.mark.parametrize(("old", "times"), [("no such text", 0), ("return", 2)])
def test_a_fault_whose_text_is_gone_says_so(old: str, times: int) -> None:
    fault = Mutant("gone", f"{check.__name__}:refused", (old, "pass"), killers=())
    message = f"mutant 'gone': '{old}' occurs {times} times in {check.__name__}:refused, expected 1"
    with pytest.raises(ValueError, match=message), fault.planted():
        pass
