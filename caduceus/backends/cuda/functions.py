"""Where the published versions of mamba-ssm and causal-conv1d keep their functions, which are imported on demand only.

`selective_scan_fn` and `causal_conv1d_fn` have stood where they are since the first release (1.0.1 and 1.0.0); the norm
moved with mamba-ssm 2. Arguments are given by name: their order is not the same in all versions.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

Function = Callable[..., Any]

SCAN = ("mamba_ssm.ops.selective_scan_interface:selective_scan_fn", "mamba_ssm:selective_scan_fn")
CONV = ("causal_conv1d:causal_conv1d_fn", "causal_conv1d.causal_conv1d_interface:causal_conv1d_fn")
NORM = ("mamba_ssm.ops.triton.layer_norm:layer_norm_fn", "mamba_ssm.ops.triton.layernorm:layer_norm_fn")


class Functions(NamedTuple):
    """The functions that the backend calls; ``norm`` is None where torch's operations do instead."""

    scan: Function
    conv: Function
    norm: Function | None


def find(places: tuple[str, ...]) -> Function | None:
    """The first that there is of ``module:function``; None if none is.

    Raises:
        ImportError: a module is there and cannot be imported.
    """
    for place in places:
        path, _, name = place.partition(":")
        try:
            module = importlib.import_module(path)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{path}.".startswith(f"{error.name}."):
                raise
            continue
        if callable(function := getattr(module, name, None)):
            return function
    return None


def find_norm() -> Function | None:
    """The Triton norm, or None where it or Triton is absent or does not work: torch's operations give the same."""
    try:
        return find(NORM)
    except Exception:
        return None
