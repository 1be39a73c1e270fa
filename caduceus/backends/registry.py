"""Which backends there are, which can run here and why the others cannot.

`auto` takes the fastest that is present and says once which; a backend asked for by name is that one or an error.
"""

from __future__ import annotations

import difflib
import importlib
import logging
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from caduceus.interfaces import Backend

log = logging.getLogger("caduceus")


class BackendInfo(NamedTuple):
    """Whether a backend can run here; ``reason`` says why, or why not."""

    name: str
    available: bool
    reason: str


class BackendUnavailable(RuntimeError):
    """A backend was asked for by name and cannot run here."""


class _Entry(NamedTuple):
    """Where a backend is; what it lacks here, or None; what to say if it lacks nothing; where `auto` may take it; what
    to type to have it."""

    target: str
    probe: Callable[[], str | None]
    present: Callable[[], str]
    suits: Callable[[str, str], bool] = lambda device, dtype: True
    instructions: Callable[[], str] = lambda: ""


def _importable(module: str) -> Callable[[], str | None]:
    def probe() -> str | None:
        try:
            importlib.import_module(module)
        except ImportError as error:
            return f"{module} cannot be imported ({error}); pip install {module}"
        return None

    return probe


def _cuda_lacks() -> str | None:
    if (missing := _importable("torch")()) is not None:
        return missing
    from caduceus.backends.cuda import probe

    return probe.missing()


def _cuda_present() -> str:
    from caduceus.backends.cuda import probe

    return probe.present()


def _cuda_instructions() -> str:
    from caduceus.backends.cuda import probe

    return probe.instructions()


def _on_gpu(device: str, dtype: str) -> bool:
    return device == "cuda" and dtype in ("float32", "bfloat16", "float16")


def _cpu_lacks() -> str | None:
    if (missing := _importable("torch")()) is not None:
        return missing
    from caduceus.backends.cpu.library import LibraryUnusable, choose_target

    try:
        choose_target()
    except LibraryUnusable as error:
        return str(error)
    return None


def _cpu_present() -> str:
    from caduceus.backends.cpu.library import choose_target

    return f"compiled kernels for {choose_target().name}, float32 and float64, differentiable once"


def _on_cpu(device: str, dtype: str) -> bool:
    return device == "cpu" and dtype in ("float32", "float64")


# Fastest first; `auto` never takes the reference.
_BACKENDS: dict[str, _Entry] = {
    "cuda": _Entry("caduceus.backends.cuda:CudaBackend", _cuda_lacks, _cuda_present, _on_gpu, _cuda_instructions),
    "cpu": _Entry("caduceus.backends.cpu:CpuBackend", _cpu_lacks, _cpu_present, _on_cpu),
    "torch": _Entry(
        "caduceus.backends.torch:TorchBackend",
        _importable("torch"),
        lambda: "plain torch operations, any device, differentiable twice",
    ),
    "reference": _Entry(
        "caduceus.reference:Backend",
        _importable("numpy"),
        lambda: "NumPy, float64, for checking the others",
        lambda device, dtype: False,
    ),
}


def targets() -> dict[str, str]:
    """Where the class of each backend of this library is, as ``module:Class``, whether or not it can run here."""
    return {name: entry.target for name, entry in _BACKENDS.items()}


def available_backends() -> list[BackendInfo]:
    """Every backend of this library with whether it can run here and why.

    >>> [info.name for info in available_backends()]
    ['cuda', 'cpu', 'torch', 'reference']
    """
    found = []
    for name, entry in _BACKENDS.items():
        missing = entry.probe()
        found.append(BackendInfo(name, missing is None, missing or entry.present()))
    return found


def get_backend(name: str | Backend, *, device: str = "cpu", dtype: str = "float32") -> Backend:
    """The backend ``name``: one of this library, ``package.module:Class`` for a third party's, or "auto".

    Args:
        device, dtype: what "auto" is to be the fastest for: a torch device type and the name of a dtype.

    Raises:
        ValueError: no backend has that name. TypeError: it is a class.
        BackendUnavailable: it cannot run here; the message says what to install.
    """
    if isinstance(name, type):
        raise TypeError(f"backend is the class {name.__name__}, expected a backend: {name.__name__}()")
    if not isinstance(name, str):
        return name
    if name == "auto":
        return _fastest(device, dtype)
    if ":" in name:
        return _load(name)
    if name not in _BACKENDS:
        near = difflib.get_close_matches(name, _BACKENDS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ","
        raise ValueError(
            f"unknown backend {name!r}{hint} expected auto, {', '.join(_BACKENDS)}, or 'package.module:Class'"
        )
    missing = _BACKENDS[name].probe()
    if missing is not None:
        message = f"backend {name!r} cannot run here: {missing}\n{_BACKENDS[name].instructions()}"
        raise BackendUnavailable(message.strip())
    return _load(_BACKENDS[name].target)


@cache
def _fastest(device: str, dtype: str) -> Backend:
    lacking = {name: entry.probe() for name, entry in _BACKENDS.items() if entry.suits(device, dtype)}
    name = next(name for name, missing in lacking.items() if missing is None)
    absent = [f"{other} cannot run here: {missing}" for other, missing in lacking.items() if missing is not None]
    if name == "torch" and absent:
        log.warning("backend auto: torch, the portable one, since %s", "; ".join(absent))
    else:
        log.info("backend auto: %s", name)
    return get_backend(name)


@cache
def _load(target: str) -> Backend:
    module, _, path = target.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ModuleNotFoundError, AttributeError) as error:
        raise ValueError(f"backend {target!r} cannot be loaded: {error}") from error
    backend = found() if isinstance(found, type) else found
    if not isinstance(backend, Backend):
        raise ValueError(f"{target} is no backend: it lacks one of name, dtypes, selective_scan, causal_conv, add_norm")
    return backend
