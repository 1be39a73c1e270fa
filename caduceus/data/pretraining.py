"""Masked-language-model samples from a genome, each a pure function of (seed, global sample index)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from caduceus.alphabet import PAD, N
from caduceus.data.draws import Purpose, coin
from caduceus.data.genome import Genome, letter_ids
from caduceus.data.masking import mask_ids
from caduceus.data.order import sample_window
from caduceus.data.windows import Windows
from caduceus.symmetry import Tokens, flip

_LOWER_CASE = np.uint8(0x20)


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
        if sample < 0 or (sample >= len(self) and not self.training):
            raise IndexError(f"sample {sample} of {len(self)}")
        ids, repeat = self._read(sample_window(sample, len(self), self.seed) if self.training else sample)
        if self._flips(sample):
            ids, repeat = Tokens().act(ids[None])[0], flip(repeat, 0)
        if self.n_as == "pad":
            ids = np.where(ids == N, PAD, ids)
        missing = (self.windows.length - len(ids), 0)
        masked = mask_ids(
            np.pad(ids, missing, constant_values=PAD),
            self.seed,
            sample,
            protocol=self.windows.report.protocol,
            rate=self.rate,
        )
        found = masked._asdict()
        if self.repeat_weight != 1.0:
            weights = np.where(np.pad(repeat, missing), self.repeat_weight, 1.0)
            found["loss_weights"] = weights.astype(np.float32)
        return found

    def _read(self, window: int) -> tuple[np.ndarray, np.ndarray]:
        """Ids of a window and where it is soft-masked (L,)."""
        letters = self.genome.fetch_letters(*self.windows[window])
        return letter_ids(letters), (letters & _LOWER_CASE) != 0

    def _flips(self, sample: int) -> bool:
        drawn = self.rc and (self.training or self.windows.report.protocol == "official")
        return drawn and coin(self.seed, sample, Purpose.STRAND)
