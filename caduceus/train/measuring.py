"""Time and memory of training, from one short micro-batch on this machine."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from caduceus.alphabet import BASES
from caduceus.nn.model import Model
from caduceus.train.batches import BatchPlan

_TOKENS = 2048
# Weights, gradients and AdamW's two moments, float32 each.
_BYTES_PER_PARAMETER = 16


@dataclass(frozen=True)
class Estimate:
    """What a run will take.

    Attributes:
        parameters: numbers that are trained, tied ones once.
        tokens_per_second: of one device, forward and backward.
        seconds: of the whole run, without validation.
        memory: bytes on a device.
    """

    parameters: int
    tokens_per_second: float
    seconds: float
    memory: int


def estimate(model: Model, plan: BatchPlan, steps: int) -> Estimate:
    """Measure one sequence, cut to 2048 tokens, and scale: both time and memory are linear in tokens."""
    length = min(plan.length, _TOKENS)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    _pass(model, min(length, 64))
    begin = time.perf_counter()
    saved = _pass(model, length)
    rate = length / (time.perf_counter() - begin)
    if model.checkpoint_activations:
        saved += _recomputed(model, length, saved)
    per_device = steps * plan.tokens / plan.world
    activations = saved * plan.per_device * plan.length // length
    return Estimate(parameters, rate, per_device / rate, parameters * _BYTES_PER_PARAMETER + activations)


def _recomputed(model: Model, length: int, saved: int) -> int:
    """Bytes of what the backward computes again: a layer of a strand at a time."""
    model.checkpoint_activations = False
    whole = _pass(model, length)
    model.checkpoint_activations = True
    strands = 2 if model.spec.equivariance == "ps" else 1
    return (whole - saved) // max(1, strands * len(model.spec.mixers))


def _pass(model: Model, length: int) -> int:
    """Forward and backward of one sequence; the bytes kept for the backward."""
    device = next(model.parameters()).device
    ids = torch.randint(BASES[0], BASES[-1] + 1, (1, length), device=device)
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = model(ids).float().square().mean()
    loss.backward()
    model.zero_grad(set_to_none=True)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return sum(kept.values())
