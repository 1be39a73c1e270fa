"""Contestants by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from caduceus.backends.cuda.counts import Path, fused
from caduceus.backends.registry import get_backend
from caduceus.bench.authors import Authors
from caduceus.bench.contestant import Contestant
from caduceus.bench.hugging_face import MODELING, Transformers
from caduceus.bench.loop import LOOPS
from caduceus.bench.of_backend import OfBackend
from caduceus.extras import require


def _transformers() -> Contestant:
    require(MODELING, "bench")
    return Transformers()


def _loop(name: str) -> Contestant:
    backend = LOOPS[name]()
    return OfBackend(name, backend.about, backend)


def _authors() -> Contestant:
    found = Authors()
    get_backend(found.backend)  # or why it cannot run here
    return found


OTHERS: dict[str, Callable[[], Contestant]] = {
    "transformers": _transformers,
    **{name: partial(_loop, name) for name in LOOPS},
    "authors": _authors,
}
"""Contestants that are no backend."""

_ABOUT = {
    "cuda": "backend of this library on the kernels of mamba-ssm and causal-conv1d",
    "cpu": "compiled kernels of this library",
    "torch": "portable backend of this library, plain torch",
}
_PATHS: dict[str, Path] = {"cuda": fused}


def entries(subject: str, peers: Sequence[str], device: str) -> list[Contestant]:
    """``subject``, which all are compared with, and its peers.

    Args:
        subject, peers: names of backends as `caduceus.get_backend` takes them; a peer may be one of `OTHERS`.
        device: torch device type.

    Raises:
        ModuleNotFoundError: a peer comes with an extra that is not installed.
        ValueError: a name is unknown. caduceus.backends.registry.BackendUnavailable: a backend cannot run here.
    """
    found = {subject: _backend(subject, device)}
    for name in peers:
        if name not in found:
            found[name] = OTHERS[name]() if name in OTHERS else _backend(name, device)
    return list(found.values())


def _backend(name: str, device: str) -> Contestant:
    backend = get_backend(name, device=device)
    if backend.name == "reference":
        raise ValueError("'reference' is the backend that others are checked against, in NumPy loops; time another")
    return OfBackend(name, _ABOUT.get(name, f"backend {name}"), name, _PATHS.get(name))
