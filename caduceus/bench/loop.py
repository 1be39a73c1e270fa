"""A backend whose selective scan is the textbook's loop over positions: what a model costs without a scan kernel."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from caduceus.backends.torch import TorchBackend


class LoopBackend(TorchBackend):
    """The portable backend with the scan as a Python loop, all exponentials of the sequence beforehand.

    The positions are taken apart by `unbind`, whose backward is linear in length; indexing them one by one, as the
    reference implementations of Mamba do, makes it quadratic.
    """

    name = "loop"

    @staticmethod
    def selective_scan(
        u: Tensor,
        dt: Tensor,
        A: Tensor,
        B: Tensor,
        C: Tensor,
        D: Tensor | None = None,
        z: Tensor | None = None,
        dt_bias: Tensor | None = None,
        dt_softplus: bool = False,
        reverse: bool = False,
        state: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """See `caduceus.interfaces.Scan`. Memory: three arrays (B, L, E, N), and as much again for the backward."""
        delta = dt if dt_bias is None else dt + dt_bias
        delta = F.softplus(delta) if dt_softplus else delta
        driver = u
        if mask is not None:
            delta, driver, B = (x.masked_fill(~mask.unsqueeze(2), 0.0) for x in (delta, u, B))
        decay = torch.exp(delta.unsqueeze(3) * A).unbind(1)
        drive = ((delta * driver).unsqueeze(3) * B.unsqueeze(2)).unbind(1)
        readout = C.unsqueeze(3).unbind(1)
        last: Any = u.new_zeros(u.shape[0], *A.shape) if state is None else state
        outputs: list[Any] = [None] * len(decay)
        order = range(len(decay))
        for t in reversed(order) if reverse else order:
            last = decay[t] * last + drive[t]
            outputs[t] = (last @ readout[t]).squeeze(2)
        y = torch.stack(outputs, 1)
        y = y if D is None else y + D * u
        return y if z is None else y * F.silu(z), last
