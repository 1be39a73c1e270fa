"""How a model runs while it trains, beyond what it computes."""

from __future__ import annotations

import torch

from caduceus.interfaces import Backend
from caduceus.nn.model import Model
from caduceus.train.settings import Training


def set_mode(model: Model, backend: Backend, settings: Training) -> None:
    """Have ``model`` checkpoint and compile as ``settings`` say.

    Raises:
        ValueError: ``compile`` cannot be had with this backend, or on this machine.
    """
    if settings.compile:
        _refuse_to_compile(backend)
    model.checkpoint_activations = settings.checkpoint_activations
    model.compile_layers = settings.compile


def _refuse_to_compile(backend: Backend) -> None:
    if not getattr(backend, "compiles", False):
        raise ValueError(
            f"compile: torch.compile cannot take the kernels of backend {backend.name} whole; it would unroll their "
            "loop over positions, which takes minutes a layer and runs slower than before. Leave compile out, or "
            "give a backend with compiled kernels, such as cpu"
        )
    try:
        torch.compile(lambda x: x + 1)(torch.ones(2))
    except Exception as error:
        raise ValueError(f"compile: torch.compile does not work here: {error}") from error
