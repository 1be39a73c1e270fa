"""The kernels' backwards are no torch operations: a second derivative through them would be wrong without a word."""

from __future__ import annotations

from typing import Any, NoReturn

import torch
from torch import Tensor


def differentiable_once(operation: str, *tensors: Tensor | None) -> Any:
    """The same tensors, a tuple; differentiating their gradients is an error that says where second derivatives are."""
    wanted = [x for x in tensors if x is not None and x.requires_grad]
    if not wanted or not torch.is_grad_enabled():
        return tensors
    guarded = iter(_Once.apply(operation, *wanted))
    return tuple(next(guarded) if x is not None and x.requires_grad else x for x in tensors)


class _Once(torch.autograd.Function):
    """The identity, whose gradient is the identity with a backward that refuses."""

    @staticmethod
    def forward(ctx: Any, operation: str, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.operation = operation
        ctx.set_materialize_grads(False)
        return tensors

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # somebody means to differentiate the gradients
            refuse = _Refuse.apply
            gradients = tuple(None if g is None else refuse(g.detach().requires_grad_(), ctx) for g in gradients)
        return None, *gradients


class _Refuse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gradient: Tensor, first: Any) -> Tensor:
        ctx.operation = first.operation
        return gradient

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> NoReturn:
        raise NotImplementedError(
            f"backend 'cuda' has no second derivative of {ctx.operation}; build the model with backend='torch', "
            "whose kernels are differentiable twice"
        )
