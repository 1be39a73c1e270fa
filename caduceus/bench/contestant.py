"""Who can be timed: the interface of a contestant, and its work made ready to be called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from caduceus.bench.work import Work


class Ready(NamedTuple):
    """Work whose weights and inputs are made.

    Attributes:
        run: does it once; returns the outputs, of a model in training the loss.
        leaves: what gradients are taken of.
        cotangent: of the outputs; None for a loss.
    """

    run: Callable[[], Tensor]
    leaves: Sequence[Tensor] = ()
    cotangent: Tensor | None = None


class Contestant(Protocol):
    """An implementation that can be timed. It is sent to other processes, so it can be pickled and holds no weights."""

    @property
    def name(self) -> str:
        """Short; what results are listed under."""
        ...

    @property
    def about(self) -> str:
        """A line for the reader of a report: what it is, and what it does where that is not the same work."""
        ...

    def lacks(self, work: Work) -> str | None:
        """Why it cannot do this work; None if it can."""
        ...

    def computes(self, work: Work) -> bool:
        """Whether its outputs are those of the other contestants: from the same weights, to rounding."""
        ...

    def ready(self, work: Work, device: str) -> Ready:
        """Make weights and inputs of ``work`` on ``device``."""
        ...


def prepared(contestant: Contestant, work: Work, device: str) -> Callable[[], Tensor]:
    """Make weights and inputs; what is returned does the work once and returns outputs, or a loss."""
    ready = contestant.ready(work, device)
    if work.mode == "forward":
        return torch.no_grad()(ready.run)

    def step() -> Tensor:
        y = ready.run()
        torch.autograd.grad(y, ready.leaves, ready.cotangent, allow_unused=True)
        return y.detach()

    return step
