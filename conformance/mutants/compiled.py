"""Faults in the compiled kernels: all in one library, each behind a switch.

A fault is a replacement in the text of one file; in its new text FAULT stands for "this fault is on". The sources are
compiled once, for any processor and without optimisation, with scratch memory that is full of NaN. Their vectors are
short, so that small examples have several columns and a last, partial one.
"""

from __future__ import annotations

import ctypes
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from torch import Tensor

from caduceus.backends.cpu import compile, library
from caduceus.conformance.mutants.mutant import Fault

SWITCH = "caduceus_fault"
ISA = "portable"


@dataclass(frozen=True)
class KernelFault(Fault):
    """A fault of a file in ``caduceus/backends/cpu/csrc``."""


class FaultyKernels:
    """The library with these faults, compiled in ``folder``."""

    def __init__(self, faults: Sequence[KernelFault], folder: Path) -> None:
        self.faults = faults
        sources = folder / "csrc"
        write_sources(faults, sources)
        flags = ("-O0", "-DCADUCEUS_POISON", "-include", str(sources / "switch.h"))
        with patch.object(compile, "SOURCES", sources), patch.object(compile, "_targets", lambda: [ISA]):
            self.path = compile.compile_library(folder, flags)

    @contextmanager
    def planted(self, fault: KernelFault | None) -> Iterator[None]:
        """Backends that are made inside compute by this library, with that fault on; fresh tensors are full of NaN."""
        empty = Tensor.new_empty
        with patch.object(library, "PATH", self.path):
            _forget()
            switch = ctypes.c_int.in_dll(library.library(), SWITCH)
            switch.value = 0 if fault is None else 1 + self.faults.index(fault)
            try:
                with patch.object(Tensor, "new_empty", lambda x, *shape: empty(x, *shape).fill_(float("nan"))):
                    yield
            finally:
                switch.value = 0
        _forget()


def _forget() -> None:
    library.library.cache_clear()
    library.targets.cache_clear()


def write_sources(faults: Sequence[KernelFault], folder: Path) -> None:
    """A copy of the sources with the faults, for one instruction set."""
    shutil.copytree(compile.SOURCES, folder)
    for name in ("kernels.h", "dispatch.cpp"):
        path = folder / name
        path.write_text(path.read_text(encoding="utf-8").replace("defined(__x86_64__)", "0"), encoding="utf-8")
    for i, fault in enumerate(faults):
        path = folder / fault.where
        text = fault.put_into(path.read_text(encoding="utf-8"))
        path.write_text(text.replace("FAULT", f"({SWITCH} == {1 + i})"), encoding="utf-8")
    declared = f'__attribute__((visibility("default"))) int {SWITCH}'
    (folder / "switch.h").write_text(f'extern "C" {declared};\n', encoding="utf-8")
    with (folder / "parallel.cpp").open("a", encoding="utf-8") as file:
        file.write(f'extern "C" {{\n{declared} = 0;\n}}\n')
