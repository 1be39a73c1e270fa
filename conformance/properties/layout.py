"""How arguments lie in memory must not matter: a mixer gives kernels slices of larger tensors."""

from __future__ import annotations

import torch

from caduceus.conformance.properties.bounds import MASKS, distance, law
from caduceus.conformance.subjects import Arguments, Subject, array


@law("kernels: how arguments lie in memory", MASKS)
def check_layout(subject: Subject, kernel: str, arguments: Arguments) -> float:
    """Every tensor as a strided slice of a larger one, its axes stored in reverse order, against contiguous ones."""
    given = {n: subject.put(x) for n, x in arguments.items()}
    given = {n: _scattered(x) if torch.is_tensor(x) else x for n, x in given.items()}
    with torch.no_grad():
        first, second = getattr(subject.backend, kernel)(**given)
    return distance((array(first), array(second)), subject.kernel(kernel, arguments), arguments.get("mask"))


def _scattered(x: torch.Tensor) -> torch.Tensor:
    larger = x.new_zeros([2 * n + 1 for n in reversed(x.shape)]).permute(*range(x.ndim - 1, -1, -1))
    view = larger[tuple(slice(1, None, 2) for _ in x.shape)]
    return view.copy_(x)
