"""Who can be timed: the interface of a contestant, and its work made ready to be called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from caduceus.bench.devices import DEVICES
from caduceus.bench.work import MIXED, Work


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

    def moves(self, work: Work) -> int | None:
        """Bytes that it reads and writes for this work, by a count of its launches; None if they are not counted."""
        ...

    def ready(self, work: Work, device: str) -> Ready:
        """Make weights and inputs of ``work`` on the torch device ``device``."""
        ...


def prepared(contestant: Contestant, work: Work, device: str) -> Callable[[], Tensor]:
    """Make weights and inputs; what is returned does the work once and returns outputs, or a loss.

    Args:
        device: a name of `devices.DEVICES`.
    """
    where = DEVICES[device].torch_type
    ready = contestant.ready(work, where)
    run = torch.autocast(where, torch.bfloat16, enabled=work.precision == MIXED)(ready.run)
    if work.mode == "forward":
        return torch.no_grad()(run)

    def step() -> Tensor:
        y = run()
        torch.autograd.grad(y, ready.leaves, ready.cotangent, allow_unused=True)
        return y.detach()

    return step
