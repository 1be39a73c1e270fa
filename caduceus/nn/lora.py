"""Low-rank adapters: W + (alpha / rank) B A in place of a projection W (Hu et al. 2021, section 4.1).

An adapter here is a parametrisation of the weight itself: whoever asks a layer for ``weight`` gets the adapted one. The
usual adapters (those of the package peft) wrap the layer's ``forward`` instead. The kernels of a whole Mamba never call
it: they take the weights of in_proj, x_proj, dt_proj and out_proj, and such an adapter would have no effect.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

TARGETS = ("in_proj", "x_proj", "dt_proj", "out_proj")


class Adapter(nn.Module):
    """W (out, in) to W + scale B A, A (rank, in) and B (out, rank); B begins at 0, so that nothing changes at first."""

    def __init__(self, weight: Tensor, rank: int, alpha: float, generator: torch.Generator) -> None:
        super().__init__()
        out, inputs = weight.shape
        rank = min(rank, out, inputs)
        bound = 1 / sqrt(inputs)
        drawn = torch.rand(rank, inputs, generator=generator) * 2 * bound - bound
        self.A = nn.Parameter(drawn.to(weight))
        self.B = nn.Parameter(weight.new_zeros(out, rank))
        self.scale = alpha / rank

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.scale * (self.B @ self.A)


def add_lora(
    model: nn.Module, *, rank: int = 8, alpha: float = 16.0, targets: Sequence[str] = TARGETS, seed: int = 0
) -> list[str]:
    """Put an adapter on each target inside the mixers; only adapters and the head are trained from then on.

    Until `merge_lora`, parameters of adapted layers have other names than the spec's weights, so that the model can be
    trained and its state kept, but neither saved as a pretrained model nor loaded into.

    Args:
        model: a model of `caduceus.build`.
        rank: of the adapters, at most that of the weight. alpha: over rank, the factor of each.
        targets: last parts of the names of linear layers.
        seed: of the initial A.

    Returns:
        The names of the adapted layers.

    Raises:
        ValueError: a target is in no mixer, where it would have no effect, or there are adapters already.

    >>> import caduceus
    >>> from caduceus import parts
    >>> spec = parts.Model(embedding=parts.Embedding(d_model=8), mixers=[parts.BiMamba()])
    >>> add_lora(caduceus.build(spec), rank=2, targets=["in_proj", "out_proj"])
    ['mixers.0.fwd.in_proj', 'mixers.0.fwd.out_proj']
    """
    if rank < 1:
        raise ValueError(f"rank is {rank}, expected 1 or more")
    if any(True for _ in adapters(model)):
        raise ValueError("the model has adapters already; merge_lora puts them into its weights")
    linear = {n: m for n, m in model.named_modules() if "mixers." in n and isinstance(m, nn.Linear)}
    chosen = {name: layer for name, layer in linear.items() if name.rpartition(".")[2] in targets}
    last = {name.rpartition(".")[2] for name in linear}
    if absent := [target for target in targets if target not in last]:
        raise ValueError(
            f"no linear layer of a mixer is called {', '.join(absent)}, so an adapter there would have no effect; "
            f"expected names out of {', '.join(sorted(last)) or 'none: the mixers have no linear layers'}"
        )
    head = getattr(model, "head", None)
    heads = {id(parameter) for parameter in head.parameters()} if isinstance(head, nn.Module) else set()
    embedding = {id(p) for n, p in model.named_parameters() if n.startswith("embedding.")}
    for parameter in model.parameters():
        # A language model's head may be the embedding itself, which stays as it is.
        parameter.requires_grad_(id(parameter) in heads - embedding)
    generator = torch.Generator().manual_seed(seed)
    for layer in chosen.values():
        parametrize.register_parametrization(layer, "weight", Adapter(layer.weight, rank, alpha, generator))
    return list(chosen)


def adapters(model: nn.Module) -> Iterator[tuple[str, Adapter]]:
    """Every adapter, by the name of its layer."""
    for name, module in model.named_modules():
        if isinstance(module, Adapter):
            yield name.removesuffix(".parametrizations.weight.0"), module


def idle_adapters(model: nn.Module) -> list[str]:
    """Names of adapted layers whose adapter got no gradient in the backward before: they are not part of the model."""
    return [name for name, a in adapters(model) if a.B.grad is None or not bool(a.B.grad.any())]


def assert_adapters_learn(model: nn.Module, ids: Any) -> None:
    """Refuse a model with an adapter that training would never move, whatever the loss.

    Args:
        ids: (B, L) of the model's input; one forward and one backward, whose gradients are dropped again.

    Raises:
        ValueError: the adapters that got no gradient, by name.
    """
    outputs = model(ids)
    # Each output with a weight of its own: their sum may be the same whatever the adapters do.
    weights = torch.linspace(-1, 2, outputs.numel(), dtype=outputs.dtype, device=outputs.device)
    (outputs.flatten() * weights).sum().backward()
    idle = idle_adapters(model)
    model.zero_grad(set_to_none=True)
    if idle:
        raise ValueError(
            f"the adapters of {', '.join(idle)} get no gradient: what they adapt is no part of what the model computes"
        )


def merge_lora(model: nn.Module) -> None:
    """Put every adapter into the weight it adapts; the model computes the same, under the names of its spec."""
    for layer in [m for m in model.modules() if isinstance(m, nn.Linear) and parametrize.is_parametrized(m, "weight")]:
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
    for parameter in model.parameters():
        parameter.requires_grad_(True)
