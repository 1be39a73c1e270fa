"""Mix across: what Caduceus leaves out, a linear map between the strands of each base pair.

    s0'_i = W s1_{L-1-i}        s1'_i = W s0_{L-1-i}

Position i of one strand pairs with position L-1-i of the other. Of all RC-equivariant 1x1 maps, [[A, B], [B, A]] on the
pair (Mallet and Vert 2021), a mixer that sees one strand is the A part; this is the B part. It commutes with the
swap by symmetry of the formula, and it is the example of a `StrandMixer`.
"""

from __future__ import annotations

from math import sqrt
from typing import ClassVar

from caduceus.spec import Role, Spec
from caduceus.weights import Uniform, Weight, Weights


class CrossStrand(Spec, kind="cross_strand"):
    """A residual branch in which each strand hears the other through one shared linear map.

    >>> CrossStrand(d_model=8).weights()["weight"].shape
    (8, 8)
    """

    role: ClassVar[Role] = "strand_mixer"

    def weights(self) -> Weights:
        d = self.channels
        return {"weight": Weight((d, d), Uniform(1 / sqrt(d)), closes_residual=True)}
