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
    target: str
    probe: Callable[[], str | None]
    present: str


def _importable(module: str) -> Callable[[], str | None]:
    def probe() -> str | None:
        try:
            importlib.import_module(module)
        except ImportError as error:
            return f"{module} cannot be imported ({error}); pip install {module}"
        return None

    return probe


def _not_in_this_version(what: str) -> Callable[[], str | None]:
    return lambda: f"{what} are not part of this version; use backend='torch', which runs on any device"


# Fastest first; `auto` never takes the reference.
_BACKENDS: dict[str, _Entry] = {
    "cuda": _Entry("", _not_in_this_version("mamba-ssm and causal-conv1d kernels"), ""),
    "cpu": _Entry("", _not_in_this_version("compiled CPU kernels"), ""),
    "torch": _Entry("caduceus.backends.torch:TorchBackend", _importable("torch"), "plain torch operations, any device"),
    "reference": _Entry("caduceus.reference:Backend", _importable("numpy"), "NumPy, float64, for checking the others"),
}


def available_backends() -> list[BackendInfo]:
    """Every backend of this library with whether it can run here and why.

    >>> [info.name for info in available_backends() if info.available]
    ['torch', 'reference']
    """
    found = []
    for name, entry in _BACKENDS.items():
        missing = entry.probe()
        found.append(BackendInfo(name, missing is None, missing or entry.present))
    return found


def get_backend(name: str | Backend) -> Backend:
    """The backend ``name``: one of this library, ``package.module:Class`` for a third party's, or "auto".

    Raises:
        ValueError: no backend has that name.
        BackendUnavailable: it cannot run here; the message says what to install.
    """
    if not isinstance(name, str):
        return name
    if name == "auto":
        return _fastest()
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
        raise BackendUnavailable(f"backend {name!r} cannot run here: {missing}")
    return _load(_BACKENDS[name].target)


@cache
def _fastest() -> Backend:
    name = next(info.name for info in available_backends() if info.available and info.name != "reference")
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
