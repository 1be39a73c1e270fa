"""BiMamba: a Mamba that reads a strand both ways (Schiff et al. 2024, section 3.1).

    add        out = M_fwd(h) + flip(M_rev(flip(h)))
    multiply   out = M_fwd(h) * flip(M_rev(flip(h)))

The two directions share in_proj and out_proj (``tie: projections``), so reading both ways costs little more than one.
A per-position product commutes with the flip: both directions share one product in, and with ``add`` one product out,

    out = W_out (silu(z) * (S_fwd + S_rev)) + 2 b_out,

where S_rev is a scan that walks backwards, not a flipped copy.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import Field, model_validator

from caduceus.parts.mamba import Mamba
from caduceus.spec import Spec
from caduceus.weights import Weights, prefixed


class BiMamba(Spec, kind="bimamba"):
    """Two Mambas, one each way.

    Attributes:
        mamba: what each direction is.
        fusion: how the two outputs join.
        tie: "projections" shares in_proj and out_proj between the directions, "none" shares nothing.

    >>> spec = BiMamba(d_model=8)
    >>> spec.weights()["rev.in_proj.weight"].tied_to
    'fwd.in_proj.weight'
    """

    mamba: Mamba = Field(default_factory=Mamba)
    fusion: Literal["add", "multiply"] = "add"
    tie: Literal["projections", "none"] = "projections"

    @model_validator(mode="after")
    def _both_ways(self) -> BiMamba:
        if self.mamba.direction != "forward":
            raise ValueError("bimamba walks both ways: leave mamba.direction at its default, forward")
        if self.mamba.d_model is not None:
            raise ValueError(
                "mamba.d_model is set, expected none: give d_model to bimamba, which both directions share"
            )
        return self

    @property
    def cell(self) -> Mamba:
        """The Mamba of either direction, its channels filled in."""
        return self.mamba.model_copy(update={"d_model": self.channels})

    def weights(self) -> Weights:
        fwd = prefixed("fwd", self.cell.weights())
        rev = prefixed("rev", self.cell.weights())
        if self.tie == "projections":
            shared = self.cell.projection_weights()
            rev.update({f"rev.{n}": replace(w, tied_to=f"fwd.{n}") for n, w in shared.items()})
        return {**fwd, **rev}
