"""`save_pretrained` and `official_state`: a model to a folder in either layout, or to tensors under official names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from caduceus.checkpoint import files
from caduceus.checkpoint.config_json import config_text
from caduceus.checkpoint.official import file_form, is_fused, recalled_form, summed_uses, to_official


def save_pretrained(
    model: Any, folder: str | os.PathLike[str], layout: Literal["caduceus", "official"] = "caduceus"
) -> None:
    """Write a model that `load_pretrained` reads back, every tensor bit for bit.

    Args:
        folder: made if it is not there.
        layout: "caduceus": ``spec.yaml`` and ``model.safetensors``, for every model.
            "official": ``config.json`` and ``model.safetensors`` as the authors publish them, a tied tensor once.
            A ps model that reads both ways and has an even number of layers is written with `fused_add_norm`, as
            published, its weights re-arranged to match; any other in the form that can hold it (of odd depth, the one
            it was loaded from). The folder holds neither tokenizer files nor the authors' Python files, to which
            `auto_map` points: their classes load it by ``CaduceusForMaskedLM.from_pretrained(folder)``, and take
            `pooling_strategy`, `conjoin_train` and `conjoin_eval` as arguments there, not from the config.

    Raises:
        ValueError: the layout is unknown, or a field of the spec has no official form; the message names it.
        FileExistsError: the folder holds a model in the other layout.

    >>> import caduceus, tempfile
    >>> from caduceus import parts
    >>> spec = parts.Model(embedding=parts.Embedding(d_model=8), mixers=[parts.BiMamba()] * 2, head=parts.MaskedLM())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_pretrained(caduceus.build(spec), folder, layout="official")
    ...     sorted(path.name for path in Path(folder).iterdir())
    ['config.json', 'model.safetensors']
    """
    if layout not in ("caduceus", "official"):
        raise ValueError(f"layout is {layout!r}, expected 'caduceus' or 'official'")
    spec, weights = model.spec, {name: np.asarray(value) for name, value in model.weights().items()}
    if layout == "caduceus":
        files.write_folder(Path(folder), weights, files.SPEC, spec.to_yaml())
        return
    even = len(getattr(spec, "mixers", ())) % 2 == 0
    fused = is_fused(spec, weights, preferred=None if even else recalled_form(model))
    spec, weights = file_form(spec, weights, fused)
    tensors = to_official(spec, weights, fused, np.asarray(spec.embedding.alphabet.complement, dtype=np.int64))
    dtype = "float64" if any(value.dtype == np.float64 for value in weights.values()) else "float32"
    files.write_folder(Path(folder), tensors, files.CONFIG, config_text(spec, fused, dtype))


def official_state(model: Any, what: Literal["weights", "grads"] = "weights") -> dict[str, torch.Tensor]:
    """The weights of a model, or their gradients, under official names and in official shapes.

    A model that was loaded from an official folder is shown in the form of that folder, with or without the half swap;
    any other as `save_pretrained` would write it. A tied tensor is there once, under its first name; its gradient is
    the sum over its uses.

    Args:
        what: "weights", complement maps included; or "grads", of the parameters alone, zero where none has arrived.

    Returns:
        Copies, in the order of the official state dict.

    Raises:
        ValueError: a field of the spec has no official form, or there are no gradients yet.
    """
    if what not in ("weights", "grads"):
        raise ValueError(f"what is {what!r}, expected 'weights' or 'grads'")
    fused = is_fused(model.spec, model.weights(), preferred=recalled_form(model))
    if what == "weights":
        spec, weights = file_form(model.spec, _copies(model), fused)
        return to_official(spec, weights, fused, torch.tensor(spec.embedding.alphabet.complement))
    spec, gradients = file_form(model.spec, _gradients(model), fused)
    return to_official(spec, summed_uses(spec, gradients), fused)


def _copies(model: Any) -> dict[str, torch.Tensor]:
    if isinstance(model, torch.nn.Module):
        return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    return {name: torch.tensor(value) for name, value in model.weights().items()}


def _gradients(model: Any) -> dict[str, torch.Tensor]:
    if not isinstance(model, torch.nn.Module):
        raise ValueError(f"the model is a {type(model).__module__}.{type(model).__name__}, which has no gradients")
    parameters: Mapping[str, torch.nn.Parameter] = dict(model.named_parameters())
    if all(parameter.grad is None for parameter in parameters.values()):
        raise ValueError("no parameter has a gradient, expected some: call backward on a loss first")
    return {n: torch.zeros_like(p) if p.grad is None else p.grad.detach().clone() for n, p in parameters.items()}
