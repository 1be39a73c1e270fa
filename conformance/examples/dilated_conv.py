"""A mixer that this library does not have, in one file: a gated, dilated convolution of each strand.

    y_i = W (silu(g_i) * sum_k taps_k x_{i + dilation (k - width // 2)})        x = V h,  g = G h

where x is 0 outside the sequence and at masked positions.

It sees one strand in its own order, so in a ``ps`` model it is equivariant with no more said. Copy the file anywhere on
PYTHONPATH; in YAML it is ``kind: "dilated_conv:DilatedConv"``, and the conformance suite tries it by name:

    python -m caduceus.conformance --model dilated_conv:make
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import Tensor, nn

from caduceus import parts
from caduceus.spec import Spec


class DilatedConv(Spec):
    """The spec: what YAML holds.

    Attributes:
        width: taps, an odd number. dilation: positions from one tap to the next.
    """

    width: int = Field(default=9, gt=0)
    dilation: int = Field(default=1, gt=0)

    @field_validator("width")
    @classmethod
    def _is_odd(cls, width: int) -> int:
        if width % 2 == 0:
            raise ValueError(f"width is {width}, expected an odd number: as many taps before a position as after it")
        return width

    def module(self, backend: Any) -> nn.Module:
        """The torch module; a convolution needs none of the backend's kernels."""
        return DilatedConvModule(self.channels, self.width, self.dilation)

    def reference(self) -> Callable[..., Any]:
        """The same in NumPy, one tap at a time, for the suite to compare with."""

        def f(weights: Mapping[str, Any], h: Any, mask: Any = None) -> Any:
            x = h @ weights["value.weight"].T
            x = x if mask is None else np.where(mask[..., None], x, 0.0)
            g = h @ weights["gate.weight"].T
            length, total = h.shape[1], 0.0
            for k, tap in enumerate(np.moveaxis(weights["taps"], 1, 0)):
                positions = np.arange(length) + self.dilation * (k - self.width // 2)
                inside = (positions >= 0) & (positions < length)
                total = total + tap * np.where(inside[:, None], x[:, positions.clip(0, length - 1)], 0.0)
            return (total * g / (1 + np.exp(-g))) @ weights["out_proj.weight"].T

        return f


class DilatedConvModule(nn.Module):
    """(B, L, C) of one strand to the same."""

    def __init__(self, channels: int, width: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.value = nn.Linear(channels, channels, bias=False)
        self.gate = nn.Linear(channels, channels, bias=False)
        self.taps = nn.Parameter(torch.randn(channels, width) / width**0.5)
        self.activation = nn.SiLU()
        self.out_proj = nn.Linear(channels, channels, bias=False)

    def forward(self, h: Tensor, mask: Tensor | None = None) -> Tensor:
        """Outputs at masked positions are exactly 0, and what stands there is never read."""
        if mask is not None:
            h = h.masked_fill(~mask[..., None], 0.0)
        channels, width = self.taps.shape
        x = self.value(h).transpose(1, 2)
        reach = self.dilation * (width // 2)
        y = F.conv1d(x, self.taps[:, None], padding=reach, dilation=self.dilation, groups=channels).transpose(1, 2)
        y = self.out_proj(y * self.activation(self.gate(h)))
        return y if mask is None else y.masked_fill(~mask[..., None], 0.0)


def make() -> parts.Model:
    """A ps model with this mixer, for ``--model``."""
    mixers = [DilatedConv(width=5), DilatedConv(width=3, dilation=4)]
    return parts.Model(embedding=parts.Embedding(d_model=8), mixers=mixers, head=parts.MaskedLM())
