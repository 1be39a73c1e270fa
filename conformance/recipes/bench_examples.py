"""A small model to time, and the limits of a machine that is not here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch

from caduceus import parts
from caduceus.backends.cpu.limits import Limits
from caduceus.backends.torch import TorchBackend
from caduceus.bench.apart import Allowed
from caduceus.bench.contestant import Ready
from caduceus.bench.work import Work

LIMITS = Limits("avx512", 2, 530e9, 39e9, 46e9, 47e9)
ALLOWED = Allowed(seconds=1.0, memory=1 << 30, threads=1)


def model(equivariance: str = "ph", d_model: int = 8, **mamba: Any) -> parts.Model:
    """Two layers."""
    mixers = [parts.BiMamba(mamba=parts.Mamba(**mamba))] * 2
    return parts.Model(
        equivariance=equivariance, embedding=parts.Embedding(d_model=d_model), mixers=mixers, head=parts.MaskedLM()
    )


class Wrong(TorchBackend):
    """A backend that is a thousandth off."""

    name = "wrong"

    @staticmethod
    def selective_scan(*arguments: Any, **named: Any) -> Any:
        y, last = TorchBackend.selective_scan(*arguments, **named)
        return y * 1.001, last


@dataclass(frozen=True)
class Fatal:
    """Ends its process, or asks for more memory than it may."""

    name: str
    memory: int

    def ready(self, work: Work, device: str) -> Ready:
        if self.memory == 0:
            os._exit(3)
        return Ready(lambda: torch.empty(self.memory, dtype=torch.uint8))


WRONG = f"{__name__}:Wrong"
