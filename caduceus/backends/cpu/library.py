"""The compiled library: its structs (`csrc/abi.h`) and functions by ctypes, and which instruction set to use."""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, Structure, c_char_p, c_double, c_int, c_int32, c_int64, c_void_p
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from caduceus.backends.cpu.compile import LIBRARY

ABI = 5
REBUILD = (
    "install caduceus again where a C++ compiler is present (in a checkout: python caduceus/backends/cpu/compile.py), "
    "or use backend='torch'"
)
ISA_VARIABLE = "CADUCEUS_CPU_ISA"
PATH = Path(__file__).parent / LIBRARY
INNER = ("conv_weight", "conv_bias", "x_proj", "dt_proj", "dt_bias", "A", "D")
"""The weights of one direction of a Mamba, in the order of the structs and of the operator's list."""


class Rows(Structure):
    """A (B, L, .) array whose last axis is contiguous."""

    _fields_ = [("data", c_void_p), ("batch", c_int64), ("time", c_int64)]


class Scan(Structure):
    _fields_ = [
        *((name, c_int32) for name in ("wide", "threads", "reverse", "softplus", "accumulate", "unused")),
        *((name, c_int64) for name in ("batch", "length", "channels", "states")),
        *((name, Rows) for name in ("u", "dt", "B", "C", "z", "y", "mask")),
        *((name, c_void_p) for name in ("A", "D", "dt_bias", "state", "last")),
        ("checkpoints", Rows),
    ]


class ScanGradients(Structure):
    _fields_ = [
        ("scan", Scan),
        *((name, Rows) for name in ("dy", "du", "ddt", "dz")),
        *((name, c_void_p) for name in ("dB", "dC", "dA", "dD", "ddt_bias", "dlast", "dstate")),
    ]


class Conv(Structure):
    _fields_ = [
        *((name, c_int32) for name in ("wide", "threads", "reverse", "silu")),
        *((name, c_int64) for name in ("batch", "length", "channels", "taps")),
        *((name, Rows) for name in ("x", "y", "mask")),
        *((name, c_void_p) for name in ("weight", "bias", "state", "last")),
    ]


class ConvGradients(Structure):
    _fields_ = [
        ("conv", Conv),
        *((name, Rows) for name in ("dy", "dx")),
        *((name, c_void_p) for name in ("dlast", "dweight", "dbias", "dstate")),
        ("chunks", c_int64),
        *((name, c_int32) for name in ("accumulate", "unused")),
    ]


class Norm(Structure):
    _fields_ = [
        *((name, c_int32) for name in ("wide", "threads", "centred", "unused")),
        *((name, c_int64) for name in ("rows", "channels")),
        ("eps", c_double),
        *((name, c_void_p) for name in ("x", "residual", "weight", "bias", "normed", "total")),
    ]


class NormGradients(Structure):
    _fields_ = [
        ("norm", Norm),
        *((name, c_void_p) for name in ("dnormed", "dtotal", "dx", "dweight", "dbias")),
        ("parts", c_int64),
    ]


class Direction(Structure):
    _fields_ = [
        *((name, c_int32) for name in ("reverse", "unused")),
        *((name, c_void_p) for name in INNER),
        *((name, Rows) for name in ("selection", "checkpoints")),
    ]


class Mamba(Structure):
    _fields_ = [
        *((name, c_int32) for name in ("wide", "threads", "directions", "unused")),
        *((name, c_int64) for name in ("batch", "length", "outer", "channels", "states", "taps", "rank")),
        *((name, Rows) for name in ("h", "out", "mask", "x", "z", "y")),
        *((name, c_void_p) for name in ("in_proj", "in_bias", "out_proj", "out_bias")),
        ("direction", Direction * 2),
    ]


class DirectionGradients(Structure):
    _fields_ = [(name, c_void_p) for name in INNER]


class MambaGradients(Structure):
    _fields_ = [
        ("mamba", Mamba),
        *((name, Rows) for name in ("dout", "dh")),
        *((name, c_void_p) for name in ("in_proj", "out_proj")),
        ("direction", DirectionGradients * 2),
    ]


class LibraryUnusable(RuntimeError):
    """The compiled library is absent, of another version, or cannot be loaded; the message says what to do."""


class Target(NamedTuple):
    """One instruction set that the library was compiled for."""

    number: int
    name: str
    runs: bool


@cache
def library() -> ctypes.CDLL:
    """The library, with its functions' types set.

    Raises:
        LibraryUnusable: it cannot be used, and why.
    """
    if not PATH.exists():
        raise LibraryUnusable(f"its kernels were not compiled when caduceus was installed; {REBUILD}")
    try:
        found = ctypes.CDLL(str(PATH))
    except OSError as error:
        raise LibraryUnusable(f"{PATH} cannot be loaded ({error}); {REBUILD}") from error
    if found.caduceus_abi() != ABI:
        raise LibraryUnusable(f"{PATH} is of version {found.caduceus_abi()}, expected {ABI}; {REBUILD}")
    found.caduceus_target_name.restype = c_char_p
    found.caduceus_scan_tile.restype = c_int64
    found.caduceus_most_taps.restype = c_int64
    found.caduceus_scan_groups.restype = c_int64
    for forward in (Scan, Conv, Norm, Mamba):
        _declare(found, f"caduceus_{forward.__name__.lower()}_forward", forward)
    for backward in (ScanGradients, ConvGradients, NormGradients, MambaGradients):
        _declare(found, f"caduceus_{backward._fields_[0][0]}_backward", backward)
    found.caduceus_scan_groups.argtypes = [c_int, POINTER(Scan)]
    found.caduceus_limit.argtypes = [c_int, c_int, c_int, c_int64, c_double]
    found.caduceus_limit.restype = c_double
    return found


def _declare(found: ctypes.CDLL, name: str, struct: type[Structure]) -> None:
    function = getattr(found, name)
    function.argtypes = [c_int, POINTER(struct)]
    function.restype = c_int64
    function.errcheck = _refuse


def _refuse(lacking: int, function: Any, arguments: tuple[Any, ...]) -> int:
    """Make an error of what a kernel returns; in the words of torch's own, by which callers know it."""
    if lacking > 0:
        kernel = function.__name__.removeprefix("caduceus_")
        raise RuntimeError(f"backend 'cpu' can't allocate memory: {kernel} needs {lacking:,} bytes to work in")
    return lacking


@cache
def targets() -> tuple[Target, ...]:
    """The instruction sets compiled in, fastest first."""
    lib = library()
    return tuple(
        Target(i, lib.caduceus_target_name(i).decode(), bool(lib.caduceus_target_runs(i)))
        for i in range(lib.caduceus_targets())
    )


def choose_target(name: str | None = None) -> Target:
    """The instruction set ``name``; else that of the variable CADUCEUS_CPU_ISA; else the fastest this processor has.

    Raises:
        LibraryUnusable: there is no such one, or the processor lacks it.
    """
    name = name or os.environ.get(ISA_VARIABLE)
    able = [target for target in targets() if target.runs]
    if not name:
        return able[0]
    for target in able:
        if target.name == name:
            return target
    raise LibraryUnusable(f"instruction set {name!r} is not one of {', '.join(t.name for t in able)} that can run here")


def rows(x: Tensor | None) -> Rows:
    """How the library sees ``x`` (B, L, .) or a mask (B, L); its last axis must be contiguous (`row_contiguous`)."""
    return Rows() if x is None else Rows(x.data_ptr(), x.stride(0), x.stride(1))


def pointer(x: Tensor | None) -> int | None:
    """Of a contiguous tensor."""
    return None if x is None else x.data_ptr()
