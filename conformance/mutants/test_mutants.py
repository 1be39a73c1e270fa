"""Every planted fault is found by the checks that are said to find it; the library as it is passes them all.

In the profile `deep` every check runs on every fault, and the summary shows how many faults each check finds.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import settings

from caduceus.conformance.mutants import check
from caduceus.conformance.mutants.everything import CHECKS, MUTANTS
from caduceus.conformance.mutants.mutant import Mutant
from caduceus.symmetry import Tokens, flip


@pytest.mark.parametrize("name", CHECKS)
def test_the_library_as_it_is_passes(name: str) -> None:
    assert all(CHECKS[name]())


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_fault_is_found(mutant: Mutant, record_property: Callable[[str, object], None]) -> None:
    deep = settings.get_current_profile_name() == "deep"
    tried = CHECKS if deep else (*mutant.killers, *mutant.missed_by)
    with mutant.planted():
        found = {name: check.finds_a_fault(CHECKS[name]) for name in tried}
    record_property("mutant", mutant.name)
    record_property("killed by", tuple(name for name in found if found[name]))
    record_property("missed by", mutant.missed_by)
    assert mutant.killers, "a fault that no check has to find"
    assert [name for name in mutant.killers if not found[name]] == [], "these should have found it"
    assert [name for name in mutant.missed_by if found[name]] == [], "these find it after all: move them to killers"


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
