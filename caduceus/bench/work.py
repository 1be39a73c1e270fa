"""What is timed: one selective scan, one layer, or a whole model, forward or a training step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch

from caduceus.parts import BiMamba, Mamba, Model

Part = Literal["scan", "layer", "model"]
Mode = Literal["forward", "train"]
Precision = Literal["32-true", "bf16-mixed"]
MIXED: Precision = "bf16-mixed"


@dataclass(frozen=True)
class Work:
    """A piece of work, the same for every contestant.

    Attributes:
        part: "scan": one selective scan, one way, with bias, softplus, D and gate, of the sizes of the first layer;
            "layer": the first mixer, without norm and residual; "model": embedding to logits.
        mode: "forward", without a graph; "train": forward, loss and gradients of all inputs and parameters, without an
            optimiser's update.
        spec: the model; its ``equivariance`` says how many strands it reads.
        batch, length: B and L.
        precision: as Lightning's Trainer names it: all in float32, or bfloat16 under autocast with float32 weights.
        longest: ``length`` is only the most that is tried; what is timed is the longest that fits.
    """

    part: Part
    mode: Mode
    spec: Model
    batch: int
    length: int
    precision: Precision = "32-true"
    longest: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """Of activations."""
        return torch.bfloat16 if self.precision == MIXED else torch.float32

    @property
    def tokens(self) -> int:
        return self.batch * self.length

    @property
    def strands(self) -> int:
        """Times that the sequence is read: twice by a whole ``ps`` model."""
        return 2 if self.part == "model" and self.spec.equivariance == "ps" else 1

    @property
    def variant(self) -> str | None:
        """``ph``, ``ps`` or ``none``, of a whole model; nothing else depends on it."""
        return self.spec.equivariance if self.part == "model" else None

    @property
    def mixers(self) -> tuple[Any, ...]:
        """The mixers whose work it is, their channels filled in."""
        bound = self.spec.bound_mixers()
        return bound if self.part == "model" else bound[:1]

    def at(self, length: int) -> Work:
        """The same on sequences of another length."""
        return replace(self, length=length)


def cell_of(mixer: Any) -> Mamba | None:
    """The Mamba of a mixer, its channels filled in; None for a mixer that holds none."""
    if isinstance(mixer, BiMamba):
        return mixer.cell
    return mixer if isinstance(mixer, Mamba) else None
