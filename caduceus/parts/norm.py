"""Norms of the residual stream.

    RMS    x / sqrt(mean(x^2) + eps) * weight
    Layer  (x - mean(x)) / sqrt(var(x) + eps) * weight + bias

Each strand is normed in its own order, so the pair needs no shared statistics. Source: official code, `rms_norm`.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from caduceus.spec import Role, Spec
from caduceus.weights import Constant, Weight, Weights


class Norm(Spec, kind="norm"):
    """Norm before each mixer and before the head.

    >>> sorted(Norm(kind="layer", d_model=8).weights())
    ['bias', 'weight']
    """

    role: ClassVar[Role] = "norm"

    kind: Literal["rms", "layer"] = "rms"
    eps: float = Field(default=1e-5, gt=0)

    def weights(self) -> Weights:
        weight = Weight((self.channels,), Constant(1.0), decay=self.kind == "rms")
        if self.kind == "rms":
            return {"weight": weight}
        return {"weight": weight, "bias": Weight((self.channels,), Constant(0.0), decay=False)}
