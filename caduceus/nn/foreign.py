"""A third party's module held to the contract of `caduceus.spec`, so that what breaks it is named, and nobody else."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from caduceus.spec import Role, Spec
from caduceus.symmetry import Track, Vector

_TAKES: dict[Role, tuple[str, ...]] = {
    "embedding": ("ids",),
    "mixer": ("x", "mask"),
    "strand_mixer": ("first", "second", "mask"),
    "head": ("features", "mask"),
}


def watched(module: nn.Module, spec: Spec, path: str) -> nn.Module:
    """The module, from now on an error if it returns what is not of its role's shape and dtype.

    Args:
        path: where it stands in its model, such as ``mixers.1``.

    Raises:
        ValueError: its forward does not take what its role is given.
    """
    who = f"{path} ({spec.kind_name})"
    takes = _TAKES[spec.role]
    try:
        inspect.signature(module.forward).bind(*takes)
    except TypeError as error:
        raise ValueError(f"{who}: {type(module).__name__}.forward must take ({', '.join(takes)}): {error}") from error
    module.register_forward_hook(partial(_hold, who, spec))
    return module


def _hold(who: str, spec: Spec, module: nn.Module, given: tuple[Any, ...], found: Any) -> None:
    """Refuse what a part returned."""
    shape = _shape(spec, given[0])
    if shape is None:
        return
    if spec.role != "strand_mixer":
        _hold_one(who, found, shape, given[0])
        return
    if not (isinstance(found, tuple | list) and len(found) == 2):
        raise ValueError(f"{who} returned {_told(found)}, expected a pair of strands, each {shape}")
    for strand in found:
        _hold_one(who, strand, shape, given[0])


def _hold_one(who: str, found: Any, shape: tuple[int, ...], given: Tensor) -> None:
    if not isinstance(found, Tensor):
        raise ValueError(f"{who} returned {_told(found)}, expected a tensor of shape {shape}")
    if found.shape != shape:
        raise ValueError(f"{who} returned shape {tuple(found.shape)}, expected {shape}")
    # Under autocast a product is in half precision, whatever came in; ids say nothing of the dtype.
    free = not given.is_floating_point() or torch.is_autocast_enabled(given.device.type)
    if found.dtype != given.dtype and not free:
        raise ValueError(f"{who} returned {found.dtype}, expected {given.dtype}, which is what it was given")


def _shape(spec: Spec, given: Tensor) -> tuple[int, ...] | None:
    """Of what a part returns for (B, L) ids or (B, L, C) of a strand; None if its space is unknown."""
    batch, length = given.shape[:2]
    if spec.role == "embedding":
        return batch, length, spec.channels
    if spec.role != "head":
        return tuple(given.shape)
    space = spec.space_out
    if isinstance(space, Vector):
        return batch, space.channels
    return (batch, length, space.channels) if isinstance(space, Track) else None


def _told(found: Any) -> str:
    return "a tuple" if isinstance(found, tuple) else type(found).__name__
