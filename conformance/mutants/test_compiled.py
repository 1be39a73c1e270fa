"""Every fault planted in the compiled kernels is found by the checks that are said to find it.

In the profile `deep` every check runs on every fault, and the summary shows how many faults each check finds.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from caduceus.backends.cpu import compile
from caduceus.conformance.mutants import (
    faults_compiled_conv_norm,
    faults_compiled_mamba,
    faults_compiled_python,
    faults_compiled_scan,
    faults_compiled_shared,
)
from caduceus.conformance.mutants.check import assert_found
from caduceus.conformance.mutants.checks_compiled import CHECKS
from caduceus.conformance.mutants.compiled import FaultyKernels, KernelFault, write_sources
from caduceus.conformance.mutants.mutant import Mutant

FAULTS: tuple[KernelFault, ...] = (
    *faults_compiled_shared.FAULTS,
    *faults_compiled_scan.FAULTS,
    *faults_compiled_conv_norm.FAULTS,
    *faults_compiled_mamba.FAULTS,
)
# Declarations, and what only measures the machine.
WITHOUT_FAULTS = {"abi.h", "constants.h", "kernels.cpp", "kernels.h", "limits.h", "parallel.h"}


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> FaultyKernels:
    if shutil.which(os.environ.get("CXX", "c++").split()[0]) is None:
        pytest.skip("not run: no C++ compiler")
    return FaultyKernels(FAULTS, tmp_path_factory.mktemp("faulty") / "kernels")


@pytest.mark.parametrize("name", CHECKS)
def test_the_kernels_as_they_are_pass(kernels: FaultyKernels, name: str) -> None:
    with kernels.planted(None):
        assert all(CHECKS[name]())


@pytest.mark.parametrize("fault", [*FAULTS, *faults_compiled_python.FAULTS], ids=lambda fault: fault.name)
def test_fault_is_found(
    kernels: FaultyKernels, fault: KernelFault | Mutant, record_property: Callable[[str, object], None]
) -> None:
    in_kernels = fault if isinstance(fault, KernelFault) else None
    with kernels.planted(in_kernels), fault.planted() if isinstance(fault, Mutant) else nullcontext():
        assert_found(fault, CHECKS, record_property)


def test_every_check_finds_something() -> None:
    faults = (*FAULTS, *faults_compiled_python.FAULTS)
    assert CHECKS.keys() - {name for fault in faults for name in fault.killers} == set()


def test_every_file_has_faults_of_different_names() -> None:
    sources = {path.name for path in compile.SOURCES.iterdir()}
    assert sources - {fault.where for fault in FAULTS} == WITHOUT_FAULTS
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 25


def test_a_fault_whose_text_is_gone_says_so(tmp_path: Path) -> None:
    fault = KernelFault("gone", "norm.h", ("no such text", "FAULT"), killers=())
    with pytest.raises(ValueError, match=r"mutant 'gone': 'no such text' occurs 0 times in norm\.h, expected 1"):
        write_sources([fault], tmp_path / "csrc")
