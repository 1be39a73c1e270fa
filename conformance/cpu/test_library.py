"""The library behind the operators: which instruction set runs, and what is said when there is none."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from caduceus.backends.cpu import CpuBackend, compile, library
from caduceus.conformance.cpu.examples import assert_same, results, scan_arguments


def test_instruction_sets_agree(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.ISA_VARIABLE, isa)
    assert CpuBackend().isa.name == isa
    arguments = scan_arguments(1, 40, 20, 16)
    assert_same(
        results(CpuBackend(), "selective_scan", arguments), results(CpuBackend(isa), "selective_scan", arguments)
    )


def test_the_fastest_is_chosen(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(library.ISA_VARIABLE, raising=False)
    runs = [target for target in library.targets() if target.runs]
    assert CpuBackend().isa == runs[0]
    assert [t.name for t in library.targets()][-1] == "portable"
    with pytest.raises(library.LibraryUnusable, match=r"'vax' is not one of .*portable that can run here"):
        CpuBackend("vax")


def test_an_absent_library_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    load = library.library.__wrapped__
    monkeypatch.setattr(library, "PATH", tmp_path / "absent.so")
    with pytest.raises(library.LibraryUnusable, match=r"were not compiled .* where a C\+\+ compiler is present"):
        load()
    (tmp_path / "absent.so").write_text("no library")
    with pytest.raises(library.LibraryUnusable, match="cannot be loaded"):
        load()


def test_an_absent_compiler_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(compile.CompilationFailed, match=r"no C\+\+ compiler \(no-such-compiler\)"):
        compile.compile_library(tmp_path)
    monkeypatch.setenv("CXX", "false")
    with pytest.raises(compile.CompilationFailed, match=r"false .* failed"):
        compile.compile_library(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_code_is_shared_between_instruction_sets(isa: str) -> None:
    """A function that the linker merges could be the copy with instructions that this processor lacks."""
    if shutil.which("nm") is None:
        pytest.skip("not run: no nm")
    listing = subprocess.run(["nm", "-C", str(library.PATH)], capture_output=True, text=True, check=True).stdout
    # Threads are started by parallel.cpp alone, which is compiled for any processor.
    own = re.compile(r"std::(thread|unique_lock|condition_variable)")
    lines = [line for line in listing.splitlines() if line[17:18] in "WVu" and "::" in line]
    assert [line for line in lines if not own.search(line)] == []
