"""Gradients of torch code against the reference's complex step, and second derivatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from caduceus import reference
from caduceus.conformance.properties.bounds import EXACT, largest, law
from caduceus.conformance.subjects import Arguments, Array, Subject, array

Tensors = dict[str, torch.Tensor]


def directional_error(
    outputs: list[torch.Tensor], tensors: Tensors, expected: Callable[..., Any], point: Mapping[str, Array], seed: int
) -> float:
    """Largest error of a directional derivative, relative to the largest entry of its gradient.

    A random cotangent for every output, then a random direction for every tensor, one tensor at a time.

    Args:
        outputs: what torch computed from ``tensors``.
        expected: the same function in NumPy, of a dict of arrays, giving a tuple of arrays.
        point: the values of the tensors, float64.
    """

    def moved(name: str, v: Array) -> Any:
        return reference.directional_derivative(expected, point, {name: v})

    return slope_error(outputs, tensors, moved, seed)


def slope_error(
    outputs: list[torch.Tensor], tensors: Tensors, moved: Callable[[str, Array], Sequence[Array]], seed: int
) -> float:
    """The same against ``moved(name, v)``: how each output changes where the tensor of that name moves along ``v``."""
    rng = np.random.default_rng(seed)
    cotangents = [rng.standard_normal(tuple(y.shape)) for y in outputs]
    gradients = pull_back(outputs, tensors, cotangents)
    overall = max(map(largest, gradients.values()))
    worst = 0.0
    for name, gradient in gradients.items():
        v = rng.standard_normal(gradient.shape)
        wanted = sum((c * dy).sum() for c, dy in zip(cotangents, moved(name, v), strict=True))
        scale = max(largest(gradient), 1e-3 * overall, 1e-30)
        worst = max(worst, largest((gradient * v).sum() - wanted) / scale)
    return worst


def pull_back(outputs: list[torch.Tensor], tensors: Tensors, cotangents: list[Array]) -> dict[str, Array]:
    """Gradients of sum(cotangent * output) by every tensor; zeros by one that has no influence."""
    total = sum((y * torch.as_tensor(c).to(y)).sum() for y, c in zip(outputs, cotangents, strict=True))
    found = torch.autograd.grad(total, list(tensors.values()), allow_unused=True)
    return {
        n: np.zeros(tuple(x.shape)) if g is None else array(g) for (n, x), g in zip(tensors.items(), found, strict=True)
    }


def leaves(subject: Subject, arguments: Mapping[str, Any]) -> tuple[Tensors, Arguments]:
    """The floating arguments as tensors that want gradients, and all arguments with these in place."""
    given = {n: subject.put(x) for n, x in arguments.items()}
    wanted = {n: x.requires_grad_() for n, x in given.items() if torch.is_tensor(x) and x.is_floating_point()}
    return wanted, given | wanted


def gradient_error(subject: Subject, kernel: str, arguments: Arguments, seed: int) -> float:
    """`directional_error` of a kernel by all its floating arguments; masked outputs carry no cotangent."""
    seen = subject.rounded(arguments)
    tensors, given = leaves(subject, seen)
    first, second = getattr(subject.backend, kernel)(**given)
    mask = seen.get("mask")

    def expected(point: dict[str, Array]) -> tuple[Array, Array]:
        y, other = getattr(reference, kernel)(**(seen | point))
        return (y if mask is None else np.where(mask[..., None], y, 0.0)), other

    if mask is not None:
        first = first.masked_fill(~torch.from_numpy(mask).to(first.device)[..., None], 0.0)
    return directional_error([first, second], tensors, expected, {n: seen[n] for n in tensors}, seed)


def kernel_gradients(
    subject: Subject, kernel: str, arguments: Arguments, seed: int, y_where: Array | None = None
) -> dict[str, Array]:
    """Gradients of random multiples of a kernel's two results; of the first only at the positions ``y_where``."""
    tensors, given = leaves(subject, arguments)
    outputs = list(getattr(subject.backend, kernel)(**given))
    rng = np.random.default_rng(seed)
    cotangents = [rng.standard_normal(y.shape) for y in outputs]
    if y_where is not None:
        cotangents[0] = np.where(y_where[..., None], cotangents[0], 0.0)
    return pull_back(outputs, tensors, cotangents)


@law("kernels: second derivatives against finite differences", EXACT)
def check_second_derivatives(subject: Subject, kernel: str, arguments: Arguments) -> float:
    """0 if the derivatives of the gradients agree with finite differences (gradgradcheck, fast mode), else 1."""
    tensors, given = leaves(subject, arguments)

    def f(*values: torch.Tensor) -> Any:
        return getattr(subject.backend, kernel)(**(given | dict(zip(tensors, values, strict=True))))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        good = torch.autograd.gradgradcheck(f, tuple(tensors.values()), raise_exception=False, fast_mode=True)
    return 0.0 if good else 1.0
