"""Activation checkpointing: the same bits, and less kept for the backward."""

from __future__ import annotations

from typing import Any

import torch

from caduceus.conformance.properties.bounds import EXACT, largest, law
from caduceus.conformance.subjects import Array, array


def trained(model: Any, ids: Array, mask: Any, checkpointed: bool) -> tuple[dict[str, Array], int]:
    """The output and each gradient of a step of training, and the bytes that its forward kept for its backward."""
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    model.checkpoint_activations = checkpointed
    torch.manual_seed(0)
    try:
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            y = model(ids, mask)
        y.square().sum().backward()
        found = {name: array(p.grad) for name, p in model.named_parameters() if p.grad is not None}
    finally:
        model.checkpoint_activations = False
        model.zero_grad(set_to_none=True)
    return found | {"": array(y)}, sum(kept.values())


@law("activation checkpointing: the same output and gradients", EXACT)
def check_checkpointing(model: Any, ids: Array, mask: Any = None) -> float:
    """In train mode, with and without; infinite where another set of weights has gradients."""
    was_training = model.training
    model.train()
    try:
        (plain, _), (found, _) = (trained(model, ids, mask, checkpointed) for checkpointed in (False, True))
    finally:
        model.train(was_training)
    if plain.keys() != found.keys():
        return float("inf")
    return max(largest(found[name] - plain[name]) for name in plain)
