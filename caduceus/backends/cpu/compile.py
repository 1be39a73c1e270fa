"""Compile the kernels with the system's C++ compiler: seconds, no dependency.

Used by `setup.py` on install, and by hand in a checkout: ``python caduceus/backends/cpu/compile.py``, with more flags
for the compiler if need be. It imports nothing of the package, so that `setup.py` can load it before anything is
installed.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCES = Path(__file__).parent / "csrc"
LIBRARY = "_kernels.so"

# Values must not depend on how a compiler fuses products with sums: `fma` in vector.h says where that is meant.
_FLAGS = ["-std=c++17", "-O3", "-fPIC", "-ffp-contract=off", "-fvisibility=hidden", "-Wall", "-Wextra"]
# GCC warns about vectors in signatures, all of them inlined, and about the undefined operands in its own headers.
_GCC_FLAGS = ["-Wno-psabi", "-Wno-uninitialized"]
_TARGETS = {"portable": [], "avx2": ["-mavx2", "-mfma"], "avx512": ["-mavx512f", "-mavx512dq", "-mfma"]}


class CompilationFailed(RuntimeError):
    """The kernels could not be compiled; the message is for the person who installs."""


def compile_library(folder: Path, extra_flags: tuple[str, ...] = ()) -> Path:
    """Compile into ``folder`` and return the library's path.

    Raises:
        CompilationFailed: there is no compiler, or it refused.
    """
    compiler = _compiler()
    is_gcc = _is_gcc(compiler)
    # GCC's OpenMP is the one that torch's wheels for Linux bring along: one pool of threads. Elsewhere, own threads.
    threads = ["-fopenmp"] if is_gcc and sys.platform == "linux" else ["-pthread"]
    flags = [*_FLAGS, *(_GCC_FLAGS if is_gcc else []), *threads, *extra_flags]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        units: dict[str, tuple[str, list[str]]] = {"dispatch": ("dispatch.cpp", []), "parallel": ("parallel.cpp", [])}
        for name in _targets():
            units[name] = ("kernels.cpp", [f"-DCADUCEUS_ISA={name}", *_TARGETS[name]])
        commands, objects = [], []
        for name, (source, own) in units.items():
            objects.append(str(Path(scratch, f"{name}.o")))
            commands.append([*compiler, *flags, *own, "-c", str(SOURCES / source), "-o", objects[-1]])
        _run(commands)
        linked = Path(scratch, LIBRARY)
        _run([[*compiler, *flags, "-shared", *objects, "-o", str(linked)]])
        # Moved into place, not written over: a process that runs the old one goes on with it.
        fresh = Path(shutil.copy(linked, folder / f"{LIBRARY}.new"))
        return fresh.replace(folder / LIBRARY)


def _targets() -> list[str]:
    return list(_TARGETS) if platform.machine() in ("x86_64", "AMD64") else ["portable"]


def _compiler() -> list[str]:
    wanted = shlex.split(os.environ.get("CXX", "c++"))
    if shutil.which(wanted[0]) is None:
        raise CompilationFailed(f"there is no C++ compiler ({wanted[0]}); install one (g++ or clang), or set CXX")
    return wanted


def _is_gcc(compiler: list[str]) -> bool:
    macros = subprocess.run([*compiler, "-dM", "-E", "-x", "c++", os.devnull], capture_output=True, text=True)
    return "__GNUC__" in macros.stdout and "__clang__" not in macros.stdout


def _run(commands: list[list[str]]) -> None:
    """All at once; the first that fails is the one reported."""
    running = [
        (command, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        for command in commands
    ]
    outputs = [process.communicate()[0] for _, process in running]
    for (command, process), output in zip(running, outputs, strict=True):
        if process.returncode != 0:
            raise CompilationFailed(f"{shlex.join(command)} failed:\n{output}")


if __name__ == "__main__":
    print(compile_library(Path(__file__).parent, tuple(sys.argv[1:])))
