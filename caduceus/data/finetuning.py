"""Labelled sequences as the samples that a classifier trains on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from caduceus.alphabet import PAD, N, tokenize
from caduceus.data.draws import Purpose, coin
from caduceus.data.labels import Labelled
from caduceus.data.order import sample_windows
from caduceus.symmetry import Tokens


@dataclass(frozen=True, eq=False)
class LabelledSamples:
    """Samples of a split; while it trains, shuffled anew each epoch, as a pure function of the sample's number.

    Attributes:
        data: the split.
        length: positions of a sample: shorter sequences are padded on the left, longer ones cut at their end.
        protocol: "sound": either case is read, N as ``n_as`` says, and the mask is True at sequence alone; "official":
            lower case is [UNK], N is N, and padding counts as sequence, as in the authors' fine-tuning.
        training: shuffle; samples go on over the epochs.
        reverses: read half of the training samples on the reverse strand.
        pairs: give each sequence beside its reverse complement, both cut and padded on their own, as the authors do for
            a model that conjoins; of "official" alone.
        scale: mean and standard deviation of each target, which regression subtracts and divides by.

    >>> from caduceus.data import Table, labelled
    >>> table = Table("t.csv", {"seq": ["acg", "ACGTT"], "label": ["0", "1"]}, np.array([2, 3]))
    >>> samples = LabelledSamples(labelled(table), length=4)
    >>> samples[0]["input_ids"].tolist(), samples[0]["mask"].tolist(), samples[1]["input_ids"].tolist()
    ([4, 7, 8, 9], [False, True, True, True], [7, 8, 9, 10])
    """

    data: Labelled
    length: int
    protocol: Literal["sound", "official"] = "sound"
    n_as: Literal["pad", "n"] = "n"
    training: bool = False
    reverses: bool = False
    pairs: bool = False
    seed: int = 0
    scale: tuple[np.ndarray, np.ndarray] | None = None

    def __post_init__(self) -> None:
        if self.pairs and self.protocol != "official":
            # A model mirrors the mask of the first strand for the second, which is no mirror image where it is padded.
            raise ValueError(
                f"pairs with protocol {self.protocol!r}, expected 'official', where padding counts as sequence; "
                "without pairs the model reads the reverse complement itself"
            )

    def __len__(self) -> int:
        """Rows, which is samples an epoch."""
        return len(self.data)

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        """The samples of the first epoch."""
        return (self[sample] for sample in range(len(self)))

    def __getitem__(self, sample: int) -> dict[str, np.ndarray]:
        """``input_ids`` (length,) int64, of pairs (length, 2), ``mask`` (length,) bool, and ``labels``: () int64 or
        (labels,) float32.
        """
        if sample < 0 or (sample >= len(self) and not self.training):
            raise IndexError(f"sample {sample} of {len(self)}")
        row = int(sample_windows(np.array([sample]), len(self), self.seed)[0]) if self.training else sample
        ids = np.array(tokenize(self.data.sequences[row], upper=self.protocol == "sound"), dtype=np.int64)
        if self.training and self.reverses and coin(self.seed, sample, Purpose.STRAND):
            ids = _reverse_complement(ids)
        fitted = self._fitted(ids)
        valid = np.arange(self.length) >= self.length - len(ids)
        return {
            "input_ids": np.stack([fitted, self._fitted(_reverse_complement(ids))], 1) if self.pairs else fitted,
            "mask": valid | (self.protocol == "official"),
            "labels": self._label(row),
        }

    def _fitted(self, ids: np.ndarray) -> np.ndarray:
        """Cut at the end, or padded on the left, to (length,)."""
        ids = ids[: self.length]
        if self.protocol == "sound" and self.n_as == "pad":
            ids = np.where(ids == N, PAD, ids)
        return np.pad(ids, (self.length - len(ids), 0), constant_values=PAD)

    def _label(self, row: int) -> np.ndarray:
        label = self.data.labels[row]
        if self.data.problem == "single_label_classification":
            return np.asarray(label, dtype=np.int64)
        if self.data.problem == "regression" and self.scale is not None:
            label = (label - self.scale[0]) / self.scale[1]
        return np.asarray(label, dtype=np.float32)


def _reverse_complement(ids: np.ndarray) -> np.ndarray:
    found: np.ndarray = Tokens().act(ids[None])[0]
    return found


def target_scale(train: Labelled) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean and standard deviation of each target of a training split; None unless it is regression."""
    if train.problem != "regression":
        return None
    deviation = train.labels.std(0)
    return train.labels.mean(0), np.where(deviation > 0, deviation, 1.0)
