"""Functions on the compiled kernels as torch operators, so that tracing and export see them.

`torch.library.custom_op` would do the same in fewer lines, but its first call imports torch's compiler: a second.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import torch

_NAMESPACE = "caduceus"


def operator(name: str, compute: Callable[..., Any], shapes: Callable[..., Any]) -> Any:
    """``compute`` as the operator ``caduceus::name`` for CPU tensors; ``shapes`` gives empty outputs, for tracing."""
    full = f"{_NAMESPACE}::{name}"
    torch.library.define(full, torch.library.infer_schema(compute, mutates_args=()))
    torch.library.impl(full, "CPU", compute)
    torch.library.register_fake(full, shapes)
    return getattr(getattr(torch.ops, _NAMESPACE), name).default


def differentiate(op: Any, keep: Callable[..., None], gradients: Callable[..., Any]) -> None:
    """Give ``op`` a derivative: ``keep(ctx, inputs, output)``, then ``gradients(ctx, *grads)``."""
    torch.library.register_autograd(op.name(), gradients, setup_context=keep)


def refuse_derivative(op: Any, operation: str) -> None:
    """Make differentiating ``op``, a backward, an error that says where second derivatives are."""

    def refuse(ctx: Any, *grads: Any) -> NoReturn:
        raise NotImplementedError(
            f"backend 'cpu' has no second derivative of {operation}; build the model with backend='torch', "
            "whose kernels are differentiable twice"
        )

    torch.library.register_autograd(op.name(), refuse)
