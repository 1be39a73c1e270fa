"""What a model is given: token ids and masks, as arrays or tensors, checked before any work is done."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from caduceus.alphabet import PAD
from caduceus.nn.token_model import TokenModel
from caduceus.shapes import expect_mask


def as_ids(input_ids: Any, module: TokenModel) -> Tensor:
    """Token ids as an int64 tensor where the module is: (B, L), or (B, L, 2) for a pair of strands.

    Raises:
        TypeError: ids are no integers. ValueError: the shape is neither, or an id is outside the vocabulary.
    """
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    ids = input_ids if isinstance(input_ids, Tensor) else _tensor(input_ids, torch.device("cpu"))
    if ids.is_floating_point() or ids.dtype == torch.bool:
        raise TypeError(f"input_ids have dtype {ids.dtype}, expected integers; caduceus.encode makes them from strings")
    if ids.ndim not in (2, 3) or (ids.ndim == 3 and ids.shape[2] != 2):
        raise ValueError(f"input_ids have shape {tuple(ids.shape)}, expected (B, L)")
    size = module.space_in.alphabet.size
    # Where they are, before they move: on other devices the comparison would wait for the device at every call.
    if ids.device.type == "cpu" and ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < size:
        raise ValueError(f"input_ids hold ids from {int(ids.min())} to {int(ids.max())}, expected 0 to {size - 1}")
    return ids.to(device).long()


def as_mask(mask: Any, ids: Tensor) -> Tensor | None:
    """A mask (B, L) bool where the ids are; "pad" derives it from the ids."""
    if mask is None:
        return None
    if isinstance(mask, str):
        if mask != "pad":
            raise ValueError(f'mask is {mask!r}, expected None, a (B, L) bool array or "pad"')
        return ids != PAD
    mask = _tensor(mask, ids.device)
    expect_mask(mask, ids.shape[0], ids.shape[1])
    return mask


def _tensor(x: Any, device: torch.device) -> Tensor:
    """``x`` as a tensor; a copy of an array, as torch takes no view that walks backwards."""
    try:
        return torch.as_tensor(x.copy() if isinstance(x, np.ndarray) else x, device=device)
    except (TypeError, ValueError, RuntimeError) as error:
        hint = "caduceus.encode makes ids from strings"
        raise TypeError(f"{type(x).__name__} is no array of one shape, of numbers: {error}; {hint}") from error
