"""The paper's convolutional baseline, trained from random weights (Schiff et al. 2024, section 5.2; official code).

    Embedding(100); Conv(16, 8) BN ReLU Pool(2); Conv(8, 8) BN Pool(2); Conv(4, 8) BN Pool(2); Linear(512); Linear

Only the first convolution is followed by a ReLU, and nothing stands between the two linear layers: so it is in the
authors' code. It reads one strand, and all of a sequence up to a fixed length.
"""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from caduceus.alphabet import PAD, TOKENS
from caduceus.symmetry import Tokens, Vector, trivial

_CHANNELS, _TAPS = (100, 16, 8, 4), 8
_HIDDEN = 512
# How the authors train it.
LR, BATCH, EPOCHS = 1e-3, 64, 10


class CNN(nn.Module):
    """Classifier of sequences of up to ``length`` bases.

    Args:
        length: bases that it reads, at least ``shortest``: shorter input is padded, longer refused.
        outputs: classes or targets.
        seed: of the initial weights; the caller's generator is left alone.

    >>> import torch
    >>> model = CNN(length=101, outputs=2)
    >>> tuple(model(torch.full((3, 90), 7)).shape), sum(p.numel() for p in CNN(251, 2).parameters())
    ((3, 2), 68102)
    """

    # Each stage leaves (n - taps + 1) // 2 of n positions, and the last has to leave one.
    shortest: ClassVar[int] = reduce(lambda left, _: 2 * left + _TAPS - 1, _CHANNELS[1:], 1)

    def __init__(self, length: int, outputs: int, *, seed: int = 0) -> None:
        super().__init__()
        self.space_in, self.space_out = Tokens(), Vector(trivial(outputs))
        self.length = length
        if length < self.shortest:
            raise ValueError(f"length is {length}, too short for three convolutions with pooling; give {self.shortest}")
        flat = _CHANNELS[-1] * self._left(length)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.embedding = nn.Embedding(len(TOKENS), _CHANNELS[0])
            layers: list[nn.Module] = []
            for i, (before, after) in enumerate(pairwise(_CHANNELS)):
                layers += [nn.Conv1d(before, after, _TAPS), nn.BatchNorm1d(after)]
                layers += [nn.ReLU(), nn.MaxPool1d(2)] if i == 0 else [nn.MaxPool1d(2)]
            self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, _HIDDEN), nn.Linear(_HIDDEN, outputs))

    @staticmethod
    def _left(length: int) -> int:
        """Positions after the last pooling."""
        for _ in _CHANNELS[1:]:
            length = (length - _TAPS + 1) // 2
        return length

    def forward(self, input_ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, L) ids to (B, outputs); masked positions count as [PAD], and padding goes to the left."""
        if input_ids.shape[1] > self.length:
            raise ValueError(f"input_ids have {input_ids.shape[1]} positions, expected at most {self.length}")
        if mask is not None:
            input_ids = input_ids.masked_fill(~mask, PAD)
        padded = nn.functional.pad(input_ids, (self.length - input_ids.shape[1], 0), value=PAD)
        out: Tensor = self.body(self.embedding(padded).transpose(1, 2))
        return out
