"""Caduceus: reverse-complement equivariant models of DNA, from declarative specs.

>>> import caduceus
>>> from caduceus import parts
>>> spec = parts.Model(embedding=parts.Embedding(d_model=8), mixers=[parts.BiMamba()], head=parts.MaskedLM())
>>> caduceus.check.equivariance_error(caduceus.build(spec), lengths=(5,), n=1)
0.0

Importing this package imports neither torch nor lightning; the names below are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from caduceus import check, losses, parts, predict, zoo
    from caduceus.alphabet import decode, encode
    from caduceus.backends.registry import BackendInfo, available_backends, get_backend
    from caduceus.checkpoint import load_pretrained, official_state, save_pretrained
    from caduceus.construct import build
    from caduceus.spec import load_spec

__version__ = "0.1.0"

_HOME = {
    "BackendInfo": "caduceus.backends.registry",
    "available_backends": "caduceus.backends.registry",
    "build": "caduceus.construct",
    "decode": "caduceus.alphabet",
    "encode": "caduceus.alphabet",
    "get_backend": "caduceus.backends.registry",
    "load_pretrained": "caduceus.checkpoint",
    "load_spec": "caduceus.spec",
    "official_state": "caduceus.checkpoint",
    "save_pretrained": "caduceus.checkpoint",
}
_MODULES = ("check", "losses", "parts", "predict", "zoo")

__all__ = [
    "BackendInfo",
    "available_backends",
    "build",
    "check",
    "decode",
    "encode",
    "get_backend",
    "load_pretrained",
    "load_spec",
    "losses",
    "official_state",
    "parts",
    "predict",
    "save_pretrained",
    "zoo",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(f"caduceus.{name}")
    else:
        raise AttributeError(f"module 'caduceus' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
