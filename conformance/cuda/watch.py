"""What a mixer gives, and what it launches for it: torch's operations and the stand-ins' kernels."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from caduceus.conformance.cuda import stand_ins

MOVE_NOTHING = ("aten::_unsafe_view", "aten::new_zeros", "aten::new_empty")
SCANS_AND_CONVOLUTIONS = ("scan_fwd", "scan_bwd", "conv_fwd", "conv_bwd")


class Launches(TorchDispatchMode):
    """While it is entered: elements read and written, FLOP of products, and each operation with the shapes of its
    tensors. Views move nothing; kernels read their arguments once and write their results once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.moved, self.flops, self.inside = 0, 0, False
        self.calls: Counter[tuple[str, tuple[tuple[int, ...], ...]]] = Counter()
        for name in SCANS_AND_CONVOLUTIONS:
            monkeypatch.setattr(stand_ins, name, self._kernel(name, getattr(stand_ins, name)))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        is_view = any(r.alias_info is not None and not r.alias_info.is_write for r in func._schema.returns)
        if not (self.inside or is_view or func.name() in MOVE_NOTHING):
            given = {name: x for name, x in (kwargs or {}).items() if name != "out"}  # which is what is found
            self._note(func.name().removeprefix("aten::"), elements(args, given, found), args)
            if func.name() == "aten::mm":
                rows, inner = args[0].shape
                self.flops += 2 * rows * inner * args[1].shape[1]
        return found

    def _note(self, name: str, moved: int, args: Any) -> None:
        self.moved += moved
        self.calls[name, tuple(tuple(x.shape) for x in tree_leaves(args) if isinstance(x, Tensor))] += 1

    def _kernel(self, name: str, function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            self.inside = True
            found = function(*arguments)
            self.inside = False
            written = found[::2] if name == "scan_fwd" else found  # the second holds states at the ends of chunks
            self._note(name, elements(arguments, written), arguments)
            return found

        return call

    def count(self, name: str) -> int:
        """Calls of an operation, whatever its tensors are."""
        return sum(n for (called, _), n in self.calls.items() if called == name)


def elements(*things: Any) -> int:
    return sum(x.numel() for x in tree_leaves(things) if isinstance(x, Tensor))


def with_gradients(part: torch.nn.Module, x: Tensor, mask: Tensor | None) -> dict[str, Tensor]:
    """The output, and the gradients of a random weighting of it by the input and by each parameter."""
    x = x.clone().requires_grad_()
    y = part(x, mask)
    wanted = {"x": x, **dict(part.named_parameters())}
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    found = torch.autograd.grad(y, list(wanted.values()), weights)
    return {"y": y.detach(), **dict(zip(wanted, found, strict=True))}
