"""Backends whose selective scan is a loop over positions in Python: what a model costs without a scan kernel."""

from __future__ import annotations

from collections.abc import Iterable
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
    about = "the same model with its scan as a loop over positions in Python"

    @classmethod
    def selective_scan(
        cls,
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
        """See `caduceus.interfaces.Scan`. Memory: two or three arrays (B, L, E, N), and as much for the backward."""
        delta = dt if dt_bias is None else dt + dt_bias
        delta = F.softplus(delta) if dt_softplus else delta
        driver = u
        if mask is not None:
            delta, driver, B = (x.masked_fill(~mask.unsqueeze(2), 0.0) for x in (delta, u, B))
        order = range(u.shape[1])
        first = u.new_zeros(u.shape[0], *A.shape) if state is None else state
        y, last = cls._states(delta, driver, A, B, C, first, reversed(order) if reverse else order)
        y = y if D is None else y + D * u
        return y if z is None else y * F.silu(z), last

    @staticmethod
    def _states(
        delta: Tensor, driver: Tensor, A: Tensor, B: Tensor, C: Tensor, last: Tensor, order: Iterable[int]
    ) -> tuple[Tensor, Tensor]:
        """What each state reads out (B, L, E), and the last of them (B, E, N)."""
        decay = torch.exp(delta.unsqueeze(3) * A).unbind(1)
        drive = ((delta * driver).unsqueeze(3) * B.unsqueeze(2)).unbind(1)
        readout = C.unsqueeze(3).unbind(1)
        outputs: list[Any] = [None] * len(decay)
        for t in order:
            last = decay[t] * last + drive[t]
            outputs[t] = (last @ readout[t]).squeeze(2)
        return torch.stack(outputs, 1), last


class MambaLoopBackend(LoopBackend):
    """The portable backend with the scan in the form of the loop that mamba-ssm and transformers have for a CPU.

    Channels come before positions, so that each position is gathered from all over memory, and is read out by an
    einsum. It is what their users run where no kernel is compiled. Its backward is quadratic in length.
    """

    name = "mamba_loop"
    about = "the same model with its scan as the loop that mamba-ssm and transformers have where there is no kernel"

    @staticmethod
    def _states(
        delta: Tensor, driver: Tensor, A: Tensor, B: Tensor, C: Tensor, last: Tensor, order: Iterable[int]
    ) -> tuple[Tensor, Tensor]:
        delta, driver, B, C = (x.transpose(1, 2).contiguous() for x in (delta, driver, B, C))
        decay = torch.exp(torch.einsum("bel,en->beln", delta, A))
        drive = torch.einsum("bel,bnl,bel->beln", delta, B, driver)
        outputs: list[Any] = [None] * delta.shape[2]
        for t in order:
            last = decay[:, :, t] * last + drive[:, :, t]
            outputs[t] = torch.einsum("ben,bn->be", last, C[:, :, t])
        return torch.stack(outputs, 1), last


LOOPS = {backend.name: backend for backend in (LoopBackend, MambaLoopBackend)}
"""By the name that a benchmark calls them."""
