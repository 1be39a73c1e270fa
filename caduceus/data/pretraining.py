"""Masked-language-model samples from a genome, each a pure function of (seed, global sample index)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from caduceus.alphabet import PAD, N
from caduceus.data.draws import Purpose, coin
from caduceus.data.genome import Genome, is_lower, letter_ids
from caduceus.data.masking import mask_rows
from caduceus.data.order import sample_windows
from caduceus.data.windows import Window, Windows
from caduceus.symmetry import Tokens, flip


@dataclass(frozen=True, eq=False)
class MaskedLMData:
    """A map-style dataset: sample index -> ``input_ids``, ``labels`` (and ``loss_weights``) of one window.

    In training, sample indices count on through the epochs: 0 to n - 1 are the windows of the first epoch, shuffled,
    n to 2 n - 1 those of the second, shuffled anew; strand and mask are drawn anew for each index. In validation and
    test, index i is window i, in order and always with the same mask. The protocol is that of the windows.

    Args:
        genome, windows: what to read; see `caduceus.data.cut_windows`.
        seed: of the order, the strands and the masks.
        rc: read half of the samples on the reverse strand; training only (official behaviour: every split).
        n_as: whether the model reads N as [PAD] or as its own id; the model's spec says which.
        rate: probability that a base is selected.
        repeat_weight: weight in the loss of lower-case (soft-masked) bases; if not 1, samples hold ``loss_weights``.

    >>> from caduceus.data import Intervals, cut_windows, ecoli_path
    >>> genome = Genome(ecoli_path())
    >>> data = MaskedLMData(genome, cut_windows(Intervals.of_genome(genome), genome, "train", 1024))
    >>> len(data), data[10_000]["input_ids"].shape
    (4077, (1024,))
    """

    genome: Genome
    windows: Windows
    seed: int = 0
    rc: bool = False
    n_as: Literal["pad", "n"] = "pad"
    rate: float = 0.15
    repeat_weight: float = 1.0

    def __post_init__(self) -> None:
        if self.n_as not in ("pad", "n"):
            raise ValueError(f'n_as is {self.n_as!r}, expected "pad" or "n"')
        if self.repeat_weight < 0:
            raise ValueError(f"repeat_weight is {self.repeat_weight}, expected 0 or more")

    @property
    def training(self) -> bool:
        return self.windows.split == "train"

    def __len__(self) -> int:
        """Windows, which is samples an epoch."""
        return len(self.windows)

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        """The samples of the first epoch."""
        return (self[sample] for sample in range(len(self)))

    def __getitem__(self, sample: int) -> dict[str, np.ndarray]:
        """``input_ids`` and ``labels`` (L,) int64, labels 4 where ignored; ``loss_weights`` (L,) float32 if used."""
        return {name: rows[0] for name, rows in self.rows([sample]).items()}

    def __getitems__(self, samples: Sequence[int]) -> list[dict[str, np.ndarray]]:
        """Several samples at once, by the name under which torch's loaders ask for them."""
        rows = self.rows(samples)
        return [{name: array[i] for name, array in rows.items()} for i in range(len(samples))]

    def rows(self, samples: Sequence[int]) -> dict[str, np.ndarray]:
        """What the samples hold, as rows of arrays (B, L): quicker than one by one, and equal to it."""
        ids, repeat = self._read(samples)
        if self.n_as == "pad":
            ids[ids == N] = PAD
        found = mask_rows(ids, self.seed, samples, protocol=self.windows.report.protocol, rate=self.rate)._asdict()
        if self.repeat_weight != 1.0:
            found["loss_weights"] = np.where(repeat, np.float32(self.repeat_weight), np.float32(1.0))
        return found

    def repeats(self, samples: Sequence[int]) -> np.ndarray:
        """Where the samples are soft-masked (B, L) bool."""
        return self._read(samples)[1]

    def _read(self, samples: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Token ids before masking, and where the letters are lower case (B, L); short windows end at the right."""
        shape = (len(samples), self.windows.length)
        ids, repeat = np.full(shape, PAD, dtype=np.uint8), np.zeros(shape, dtype=bool)
        for row, (sample, window) in enumerate(zip(samples, self._windows(samples), strict=True)):
            letters = self.genome.fetch_letters(*window)
            read, lower = letter_ids(letters), is_lower(letters)
            if self._flips(sample):
                read, lower = Tokens().act(read[None])[0], flip(lower, 0)
            begin = self.windows.length - len(letters)
            ids[row, begin:], repeat[row, begin:] = read, lower
        return ids, repeat

    def _windows(self, samples: Sequence[int]) -> list[Window]:
        """The windows that samples read."""
        for sample in samples:
            if sample < 0 or (sample >= len(self) and not self.training):
                raise IndexError(f"sample {sample} of {len(self)}")
        numbers = np.array(samples, dtype=np.int64)
        return self.windows.at(sample_windows(numbers, len(self), self.seed) if self.training else numbers)

    def _flips(self, sample: int) -> bool:
        drawn = self.rc and (self.training or self.windows.report.protocol == "official")
        return drawn and coin(self.seed, sample, Purpose.STRAND)
