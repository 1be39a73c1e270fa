"""Small models of every kind, with weights far from their initial values."""

from __future__ import annotations

from typing import Any

import numpy as np

from caduceus import parts, reference
from caduceus.reference.arrays import Array
from caduceus.spec import Spec

MIXERS: dict[str, list[Spec]] = {
    "bimamba": [parts.BiMamba(mamba=parts.Mamba(d_state=3)), parts.BiMamba(mamba=parts.Mamba(d_state=2, bias=True))],
    "untied product": [parts.BiMamba(mamba=parts.Mamba(d_state=3, d_conv=2, bias=True), fusion="multiply", tie="none")],
    "one way each": [parts.Mamba(d_state=2), parts.Mamba(d_state=2, conv_bias=False, direction="reverse")],
    "across": [parts.BiMamba(mamba=parts.Mamba(d_state=2)), parts.CrossStrand(), parts.Mamba(d_state=2)],
}
HEADS: dict[str, parts.Head | None] = {
    "masked_lm": parts.MaskedLM(),
    "untied masked_lm": parts.MaskedLM(tie="none"),
    "classifier": parts.SequenceClassifier(num_labels=3),
    "biased classifier": parts.SequenceClassifier(num_labels=1, pooling="last", bias=True),
    "tracks": parts.TrackHead(invariant=1, stranded=2, signed=1),
    "vector": parts.VectorHead(invariant=1, stranded=1, signed=2, pooling="max"),
    "features": None,
}


def model_spec(
    mixers: str = "bimamba", head: str = "masked_lm", equivariance: str = "ps", **options: Any
) -> parts.Model:
    """A model of 6 channels."""
    return parts.Model(
        equivariance=equivariance,
        embedding=parts.Embedding(d_model=6),
        mixers=MIXERS[mixers],
        head=HEADS[head],
        **options,
    )


def random_weights(spec: parts.Model | parts.Symmetrize, seed: int = 0) -> dict[str, Array]:
    """Initial weights, each moved by normal numbers."""
    rng = np.random.default_rng(seed)
    return {n: w + 0.5 * rng.standard_normal(w.shape) for n, w in sorted(spec.initial_weights(seed).items())}


def example(*args: Any, seed: int = 0, **options: Any) -> Any:
    """The reference model of `model_spec`, with random weights."""
    spec = model_spec(*args, **options)
    return reference.build(spec, random_weights(spec, seed))


def ids_and_mask(length: int, seed: int, batch: int = 2) -> tuple[Array, Array]:
    """Ids of the whole vocabulary, and a mask of which each row has a valid position."""
    rng = np.random.default_rng(seed)
    mask = rng.random((batch, length)) > 0.4
    mask[np.arange(batch), rng.integers(0, length, batch)] = True
    return rng.integers(0, 16, (batch, length)), mask
