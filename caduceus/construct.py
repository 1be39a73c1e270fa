"""spec + weights + backend -> model."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from caduceus.backends.registry import get_backend
from caduceus.interfaces import Backend
from caduceus.parts import Mamba, Model, Symmetrize

if TYPE_CHECKING:
    import torch

    from caduceus.nn.token_model import TokenModel

log = logging.getLogger("caduceus")


def build(
    spec: Model | Symmetrize,
    *,
    backend: str | Backend = "auto",
    dtype: torch.dtype | str | None = None,
    device: torch.device | str | None = None,
    seed: int = 0,
    weights: Mapping[str, Any] | None = None,
    checkpoint_activations: bool = False,
) -> Any:
    """Make the model that ``spec`` describes, in train mode.

    Args:
        spec: a `parts.Model` or `parts.Symmetrize`.
        backend: "auto", the fastest for this dtype and device; a name; ``package.module:Class``; or a backend. Give
            ``device`` rather than moving the model later: kernels stay those it was built with.
        dtype: torch dtype or its name; float32 if not given.
        device: torch device; the CPU if not given.
        seed: of the initial weights. The same seed gives the same weights on every backend.
        weights: values under the spec's names instead of initial ones: all of them, and no others.
        checkpoint_activations: in training, keep what goes into each layer and compute the rest again in the backward:
            less memory, more time, the same bits. An attribute of the model, which may be set later too.

    Returns:
        A `torch.nn.Module`, or `caduceus.reference.Model`, with ``spec``, ``space_in``, ``space_out``, ``features`` and
        ``weights()`` as `caduceus.interfaces.Model`.

    Raises:
        TypeError: ``spec`` is no spec of a model. ValueError: weights do not fit, torch cannot use the device, or the
            backend lacks the dtype or has no backward to checkpoint for.
        caduceus.backends.registry.BackendUnavailable: the backend cannot run here.

    >>> import caduceus
    >>> from caduceus import parts
    >>> spec = parts.Model(embedding=parts.Embedding(d_model=8), mixers=[parts.BiMamba()], head=parts.MaskedLM())
    >>> model = caduceus.build(spec)
    >>> tuple(model([[7, 8, 9, 10]]).shape)
    (1, 4, 16)
    """
    if not isinstance(spec, Model | Symmetrize):
        raise TypeError(
            f"build expects a parts.Model or parts.Symmetrize, got {type(spec).__name__}; caduceus.zoo.spec and "
            "caduceus.load_spec give the spec of a name and of a file"
        )
    _refuse_absent(device)
    kernels = get_backend(backend, device=str(device or "cpu").partition(":")[0], dtype=_dtype_name(dtype or "float32"))
    if kernels.name == "reference":
        if checkpoint_activations:
            raise ValueError("checkpoint_activations is for training, and the reference has no backward")
        return _reference(spec, seed, weights, dtype, device)
    import torch

    wanted = _dtype(dtype)
    if str(wanted).removeprefix("torch.") not in kernels.dtypes:
        raise ValueError(f"backend {kernels.name} computes in {', '.join(kernels.dtypes)}, not in {wanted}")
    _say_what_is_replaced(spec, kernels)
    # Third parties' modules draw their own initial values: from this seed, leaving the caller's generator alone.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _module(spec, kernels)
    values = spec.initial_weights(seed) if weights is None else weights
    model.to(wanted)
    for name, weight in spec.weights().items():
        if weight.wide and weight.tied_to is None:
            parameter = model.get_parameter(name)
            parameter.data = parameter.data.to(torch.promote_types(wanted, torch.float32))
    model.load_weights(values, partial=weights is None)
    model.checkpoint_activations = checkpoint_activations
    return model.to(device)


def _refuse_absent(device: torch.device | str | None) -> None:
    """Before weights are drawn and a backend is chosen for it."""
    if device is None or str(device) == "cpu":
        return
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # AssertionError: a torch that is built without CUDA
        reason = str(error).partition("\n")[0]
        expected = "expected one that torch can use here, such as 'cpu'"
        raise ValueError(f"device is '{device}', {expected}: {reason}") from error


def _say_what_is_replaced(spec: Model | Symmetrize, kernels: Backend) -> None:
    """What a backend's own kernels do not compute of this model, once for each thing."""
    replaced = getattr(kernels, "replaced", None)
    if replaced is None:
        return
    model = spec.model if isinstance(spec, Symmetrize) else spec
    cells = (getattr(part, "cell", part) for _, part in model.named_parts())
    found = {replaced(cell.d_conv) for cell in cells if isinstance(cell, Mamba)}
    for note in sorted(note for note in found if note is not None):
        log.warning("backend %s: %s", kernels.name, note)


def _dtype_name(dtype: Any) -> str:
    """``float64`` for that name, torch's or NumPy's dtype; ``None`` for None."""
    name = dtype.__name__ if isinstance(dtype, type) else str(dtype)
    return name.removeprefix("torch.").replace("double", "float64")


def _dtype(dtype: Any) -> torch.dtype:
    import torch

    found = torch.float32 if dtype is None else getattr(torch, _dtype_name(dtype), None)
    if not isinstance(found, torch.dtype):
        raise ValueError(f"dtype is {dtype!r}, expected a torch dtype or its name, such as 'float32'")
    return found


def _module(spec: Model | Symmetrize, kernels: Backend) -> TokenModel:
    from caduceus.nn.model import Model as ModelModule
    from caduceus.nn.symmetrize import Symmetrize as SymmetrizeModule

    if isinstance(spec, Symmetrize):
        return SymmetrizeModule(spec, _module(spec.model, kernels))
    return ModelModule(spec, kernels)


def _reference(spec: Model | Symmetrize, seed: int, weights: Mapping[str, Any] | None, dtype: Any, device: Any) -> Any:
    from caduceus import reference

    if str(device) not in ("None", "cpu") or _dtype_name(dtype) not in ("None", "float64"):
        raise ValueError(f"the reference computes in float64 on the CPU, got dtype={dtype}, device={device}")
    if weights is None:
        weights = spec.initial_weights(seed)
        inner = spec.model if isinstance(spec, Symmetrize) else spec
        if any(part.is_foreign for _, part in inner.named_parts()):
            # A third party's initial values are known only to its torch module.
            weights = build(spec, backend="torch", seed=seed).weights()
    return reference.build(spec, {name: np.asarray(value) for name, value in weights.items()})
