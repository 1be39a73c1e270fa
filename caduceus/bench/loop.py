"""Backends whose selective scan is a loop over positions in Python: what a model costs without a scan kernel."""

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
        delta, driver, B = _driving(u, dt, B, dt_bias, dt_softplus, mask)
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


class MambaLoopBackend(TorchBackend):
    """The portable backend with the scan in the form of the loop that mamba-ssm and transformers have for a CPU.

    Channels come before positions, so that each position is gathered from all over memory, and is read out by an
    einsum. It is what their users run where no kernel is compiled. Its backward is quadratic in length.
    """

    name = "mamba_loop"

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
        """See `caduceus.interfaces.Scan`. Memory: two arrays (B, E, L, N)."""
        delta, driver, B = _driving(u, dt, B, dt_bias, dt_softplus, mask)
        delta, driver, drive_in, read_out = (x.transpose(1, 2).contiguous() for x in (delta, driver, B, C))
        decay = torch.exp(torch.einsum("bel,en->beln", delta, A))
        drive = torch.einsum("bel,bnl,bel->beln", delta, drive_in, driver)
        last: Any = u.new_zeros(u.shape[0], *A.shape) if state is None else state
        outputs: list[Any] = [None] * u.shape[1]
        order = range(len(outputs))
        for t in reversed(order) if reverse else order:
            last = decay[:, :, t] * last + drive[:, :, t]
            outputs[t] = torch.einsum("ben,bn->be", last, read_out[:, :, t])
        y = torch.stack(outputs, 1)
        y = y if D is None else y + D * u
        return y if z is None else y * F.silu(z), last


def _driving(
    u: Tensor, dt: Tensor, B: Tensor, dt_bias: Tensor | None, dt_softplus: bool, mask: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Steps, inputs and B, 0 where masked: such a position leaves the state as it is."""
    delta = dt if dt_bias is None else dt + dt_bias
    delta = F.softplus(delta) if dt_softplus else delta
    if mask is None:
        return delta, u, B
    delta, u, B = (x.masked_fill(~mask.unsqueeze(2), 0.0) for x in (delta, u, B))
    return delta, u, B


LOOPS = {backend.name: backend for backend in (LoopBackend, MambaLoopBackend)}
"""By the name that a benchmark calls them."""
