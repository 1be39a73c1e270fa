"""Small models of each equivariance, trained on nothing: what must hold holds for any weights."""

from __future__ import annotations

from typing import Any, ClassVar

import caduceus
from caduceus import parts
from caduceus.conformance.examples.dilated_conv import DilatedConv


def small(equivariance: str = "ps", *, seed: int = 3, n_as: str = "n", backend: str = "auto", layers: int = 2) -> Any:
    """A masked language model of 8 channels whose logits differ well between bases."""
    spec = parts.Model(
        equivariance=equivariance,
        embedding=parts.Embedding(d_model=8),
        mixers=[parts.BiMamba(mamba=parts.Mamba(d_state=4, expand=2))] * layers,
        head=parts.MaskedLM(tie="none"),
        n_as=n_as,
    )
    model = caduceus.build(spec, seed=seed, backend=backend)
    weights = {
        name: value * (20 if name.startswith(("head", "embedding")) else 1) for name, value in model.weights().items()
    }
    return caduceus.build(spec, weights=weights, backend=backend).eval()


class Unmasked(DilatedConv):
    """A mixer that says that it ignores masks."""

    uses_mask: ClassVar[bool] = False
