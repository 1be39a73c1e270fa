"""Torch module of `parts.Symmetrize`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from caduceus.nn.inputs import as_ids, as_mask
from caduceus.nn.token_model import TokenModel
from caduceus.parts import Symmetrize as SymmetrizeSpec


class Symmetrize(TokenModel):
    """(f(x) + act(f(rc x))) / 2 for the model inside."""

    def __init__(self, spec: SymmetrizeSpec, model: TokenModel) -> None:
        super().__init__()
        self.spec = spec
        self.model: Any = model
        self.backend = model.backend
        self.space_in, self.space_out = spec.space_in, spec.space_out

    @property
    def checkpoint_activations(self) -> bool:
        """That of the model inside."""
        return bool(self.model.checkpoint_activations)

    @checkpoint_activations.setter
    def checkpoint_activations(self, value: bool) -> None:
        self.model.checkpoint_activations = value

    def forward(self, input_ids: Any, mask: Any = None) -> Tensor:
        """(B, L) ids to the output of the model inside, averaged over both strands."""
        here, there = self._both(self.model, input_ids, mask)
        return (here + self.space_out.act(there)) * 0.5

    def features(self, input_ids: Any, mask: Any = None) -> Tensor:
        """(B, 2, L, C): the features of the plain model inside on each strand; of a ps model, its own features."""
        here, there = self._both(self.model.features, input_ids, mask)
        return here if here.ndim == 4 else torch.stack([here, there], 1)

    def _both(self, f: Any, input_ids: Any, mask: Any) -> tuple[Tensor, Tensor]:
        ids = as_ids(input_ids, self)
        valid = as_mask(mask, ids)
        if valid is None:
            return f(ids), f(self.space_in.act(ids))
        rc_ids, rc_valid = self.space_in.act(ids, valid)
        return f(ids, valid), f(rc_ids, rc_valid)
