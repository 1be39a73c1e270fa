"""Torch module of `parts.Embedding`: one strand; the model lifts to two."""

from __future__ import annotations

from torch import nn

from caduceus.interfaces import Backend
from caduceus.parts import Embedding as EmbeddingSpec


class Embedding(nn.Embedding):
    """ids (B, L) to (B, L, C)."""

    def __init__(self, spec: EmbeddingSpec, backend: Backend) -> None:
        super().__init__(spec.vocab_size, spec.channels)

    def reset_parameters(self) -> None:
        """Values are loaded: building draws no random numbers."""
