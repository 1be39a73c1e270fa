"""The published layout: config and tensors to spec and weights, and back. Pure functions on arrays or tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from caduceus.checkpoint.config import Config
from caduceus.checkpoint.config_json import config_of
from caduceus.checkpoint.half_swap import Values, barred_layers, exchanged_table, swap, unswap
from caduceus.checkpoint.keys import PREFIX, collect, entries, stored
from caduceus.checkpoint.refusals import refuse, the_model
from caduceus.parts import Mamba, MaskedLM, Model
from caduceus.parts.heads import Head
from caduceus.spec import Spec


def from_official(
    config: Config, tensors: Mapping[str, np.ndarray], add_language_model: bool = False
) -> tuple[Model, dict[str, np.ndarray]]:
    """The model that an official file holds: its spec, and its weights under the spec's names.

    Args:
        tensors: under official keys, with or without ``caduceus.``; tied duplicates may be absent.
        add_language_model: give a file without a head the language model head that is tied to its embedding.

    Raises:
        ValueError: config and tensors do not fit; the message names the keys.
    """
    fused = config.rcps and config.fused_add_norm
    _check_norm_names(config, tensors)
    head = held_head(config, tensors)
    spec = config.spec(head)
    prefix = PREFIX if any(key.startswith(PREFIX) for key in tensors) else ""
    weights = collect(entries(spec, fused, prefix), tensors, spec.embedding.alphabet)
    if head is None and add_language_model:
        if not (config.rcps or config.tie_word_embeddings):
            raise ValueError(
                "missing lm_head.weight: config.json has tie_word_embeddings false, so the head needs its own"
            )
        spec = config.spec(MaskedLM())
    return unswap(spec, weights) if fused else (spec, weights)


def held_head(config: Config, tensors: Mapping[str, np.ndarray]) -> Head | None:
    """The head whose tensors a file holds; ``config`` decides only where a tied head leaves none behind."""
    declared = config.architectures or ()
    if "score.weight" in tensors:
        rows = tensors["score.weight"].shape[0] if tensors["score.weight"].ndim == 2 else None
        if config.labels is not None and rows is not None and config.labels != rows:
            raise ValueError(
                f"tensor score.weight has {rows} rows, expected {config.labels}, the labels of config.json"
            )
        return config.classifier(rows)
    if "CaduceusForSequenceClassification" in declared and not any(key.startswith("lm_head.") for key in tensors):
        return config.classifier()
    tied = config.rcps or config.tie_word_embeddings
    language_model = MaskedLM(tie="embedding" if tied else "none")
    if any(key.startswith("lm_head.") for key in tensors):
        return language_model
    # The tied head of a plain model leaves no tensor; the prefix tells that the backbone was part of a larger class.
    leaves_none = not config.rcps and any(key.startswith(PREFIX) for key in tensors) and "Caduceus" not in declared
    return language_model if leaves_none and (tied or "CaduceusForMaskedLM" in declared) else None


def _check_norm_names(config: Config, tensors: Mapping[str, np.ndarray]) -> None:
    wrapped = any(".norm.submodule." in key for key in tensors)
    if config.rcps and wrapped == config.fused_add_norm and any(".norm." in key for key in tensors):
        raise ValueError(
            f"config.json has fused_add_norm {config.fused_add_norm}, expected {not wrapped}: "
            f"the norms of the file are named as in a ps model with fused_add_norm {not wrapped}"
        )


def is_fused(spec: Spec, weights: Mapping[str, Any], preferred: bool | None = None) -> bool:
    """Whether the official form of a model is one with the half swap.

    A ps model that reads both ways is stored swapped, as published, where its depth is even; any other in the form that
    can hold it.

    Args:
        preferred: the form to take where both can hold the model.

    Raises:
        ValueError: neither form can; the message names the field.
    """
    spec = the_model(spec)
    if spec.equivariance != "ps":
        return False
    first = len(spec.mixers) % 2 == 0 if preferred is None else preferred
    obstacles = [_obstacle(spec, weights, fused) for fused in (first, not first)]
    if None not in obstacles:
        refuse(*next(o for o in obstacles if o is not None))
    return first if obstacles[0] is None else not first


Obstacle = tuple[str, str, str]


def _obstacle(spec: Model, weights: Mapping[str, Any], fused: bool) -> Obstacle | None:
    """Why a form cannot hold a ps model: field, value, what was expected. None if it can."""
    barred = barred_layers(len(spec.mixers)) if fused else ()
    for i, mixer in enumerate(spec.mixers):
        if isinstance(mixer, Mamba) and (mixer.direction == "reverse") != (i in barred):
            expected = "all forward, or reverse in every other layer from the last but one down"
            return f"mixers.{i}.direction", mixer.direction, expected
    return _head_obstacle(spec.head, weights, spec, fused) if isinstance(spec.head, MaskedLM) else None


def _head_obstacle(head: MaskedLM, weights: Mapping[str, Any], spec: Model, fused: bool) -> Obstacle | None:
    """The official head is tied; the swap of an odd depth makes two tables of one, and nothing else does."""
    two_tables = fused and len(spec.mixers) % 2 == 1
    if head.tie == "embedding":
        return ("head.tie", "embedding", "none for a swapped model of odd depth") if two_tables else None
    table = exchanged_table(weights["embedding.weight"], spec.embedding.alphabet) if two_tables else None
    if table is not None and bool((table == weights["head.weight"]).all()):
        return None
    return "head.tie", "none", "embedding: the official language model head of a ps model is always tied"


def file_form(spec: Model, values: Values, fused: bool) -> tuple[Model, Values]:
    """The spec and the values (weights, or their gradients) as an official file holds them, under the spec's names.

    Where the swap makes one table of two, the head's is still there, under ``head.weight``, in addition.
    """
    spec, values = swap(spec, values) if fused else (spec, values)
    config_of(spec, fused, "float32")
    return spec, values


def summed_uses(spec: Model, gradients: Values) -> Values:
    """The gradients of a file's tensors: that of a table that the swap had made two is the sum of both."""
    if not (isinstance(spec.head, MaskedLM) and spec.head.tie == "embedding" and "head.weight" in gradients):
        return gradients
    return {**gradients, "embedding.weight": gradients["embedding.weight"] + gradients["head.weight"]}


def to_official(spec: Model, values: Values, fused: bool, complement: Any = None) -> dict[str, Any]:
    """The values under official keys and in official shapes, in the order of the state dict, a tied tensor once.

    Args:
        spec, values: as `file_form` gives them.
        complement: what to put under the keys of complement maps; None leaves the keys out.
    """
    found = {}
    for entry in stored(spec, fused):
        if entry.weight is not None:
            found[entry.key] = entry.to_file(values[entry.weight])
        elif complement is not None:
            found[entry.key] = complement
    return found


def remember_form(model: Any, fused: bool | None) -> None:
    """Note on a model whether the official folder it came from hides the half swap; None: it came from none."""
    model.loaded_half_swap = fused


def recalled_form(model: Any) -> bool | None:
    """What `remember_form` noted; None where it did not."""
    return getattr(model, "loaded_half_swap", None)
