"""What every model of the reference has besides its formula: spaces, modes, and the check of its input."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from caduceus.alphabet import PAD
from caduceus.reference.arrays import Array, expect_mask
from caduceus.reference.strands import rc_ids
from caduceus.symmetry import Space, Tokens

Self = TypeVar("Self", bound="BaseModel")


class BaseModel:
    """What every model of the reference offers besides its answer."""

    spec: Any

    def __init__(self) -> None:
        self.training = True

    @property
    def space_in(self) -> Tokens:
        return self.spec.space_in

    @property
    def space_out(self) -> Space:
        return self.spec.space_out

    def train(self: Self, mode: bool = True) -> Self:
        """Training mode, as new models have it; it matters only for a head with ``conjoin: eval``."""
        self.training = mode
        return self

    def eval(self: Self) -> Self:
        """Evaluation mode."""
        return self.train(False)

    def checked(self, input_ids: Any, mask: Any) -> tuple[Array, Array | None]:
        """The ids (B, L) and their mask, checked."""
        ids = np.asarray(input_ids)
        size = self.space_in.alphabet.size
        if not np.issubdtype(ids.dtype, np.integer):
            raise TypeError(f"input_ids have dtype {ids.dtype}, expected integers")
        if ids.ndim != 2:
            raise ValueError(f"input_ids have shape {ids.shape}, expected (B, L)")
        if ids.size and not 0 <= ids.min() <= ids.max() < size:
            raise ValueError(f"input_ids go from {ids.min()} to {ids.max()}, expected ids from 0 to {size - 1}")
        if isinstance(mask, str):
            if mask != "pad":
                raise ValueError(f'mask is {mask!r}, expected "pad", a bool array (B, L) or None')
            mask = ids != PAD
        return ids, expect_mask(mask, (ids.shape[0], ids.shape[1]))

    def rc(self, ids: Array) -> Array:
        """The ids of the reverse complement."""
        return rc_ids(ids, self.space_in.alphabet.complement)
