"""Weights of a model as plain arrays under the spec's names, out and in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from caduceus.interfaces import Backend
from caduceus.symmetry import Space, Tokens


class TokenModel(nn.Module):
    """A model of tokens whose parameters are named as the weights of its spec."""

    space_in: Tokens
    space_out: Space
    backend: Backend
    checkpoint_activations: bool

    def own_tensors(self) -> dict[str, Tensor]:
        """Parameters and saved buffers by name, each tensor once, under its first name: tied uses do not show."""
        seen: set[int] = set()
        found = {}
        for name, tensor in self.state_dict(keep_vars=True).items():
            if id(tensor) not in seen:
                seen.add(id(tensor))
                found[name] = tensor
        return found

    def weights(self) -> dict[str, np.ndarray]:
        """Copies of every weight the model owns, as NumPy arrays; bfloat16 and float16 are widened to float32."""
        return {name: _array(tensor) for name, tensor in self.own_tensors().items()}

    def load_weights(self, values: Mapping[str, Any], partial: bool = False) -> None:
        """Copy ``values`` into the model, in the model's dtype.

        Args:
            values: arrays or tensors under the names of `weights`; all of them unless ``partial``.

        Raises:
            ValueError: a name is missing or unknown, or a shape differs; nothing is copied then.
        """
        own = self.own_tensors()
        missing = [] if partial else sorted(own.keys() - values.keys())
        unknown = sorted(values.keys() - own.keys())
        if missing or unknown:
            raise ValueError(f"weights do not fit the spec: missing {missing}, unknown {unknown}")
        for name, value in values.items():
            if tuple(value.shape) != tuple(own[name].shape):
                raise ValueError(f"weight {name} has shape {tuple(value.shape)}, expected {tuple(own[name].shape)}")
        with torch.no_grad():
            for name, value in values.items():
                own[name].copy_(value if isinstance(value, Tensor) else torch.as_tensor(np.asarray(value)))


def _array(tensor: Tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor).numpy().copy()
