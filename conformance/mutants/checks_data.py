"""Checks of data: windows, masks, strands and order, against what the authors' code gave or against the definition."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from caduceus.alphabet import BASES, MASK, PAD, N
from caduceus.conformance import golden_cases
from caduceus.conformance.data.fasta_files import fasta_text, random_sequence, write_fasta
from caduceus.conformance.mutants.check import Check
from caduceus.data import (
    Batches,
    Genome,
    Intervals,
    MaskedLMData,
    mask_ids,
    mask_ids_by_torch,
    official_windows,
    sound_windows,
)

LETTER_ID = {"A": 7, "C": 8, "G": 9, "T": 10, "N": 11}
PARTNER = {7: 10, 8: 9, 9: 8, 10: 7, 11: 11}


def _recorded(name: str) -> Any:
    return json.loads((golden_cases.FOLDER / f"{name}.json").read_text(encoding="utf-8"))


@contextmanager
def _genome(contigs: dict[str, str]) -> Iterator[Genome]:
    with TemporaryDirectory() as folder:
        genome = Genome(write_fasta(Path(folder), fasta_text(contigs)))
        yield genome
        genome.close()


def golden_windows() -> Iterator[bool]:
    recorded = _recorded("hg38_windows")
    rows = Intervals.from_rows(recorded["bed"])
    with _genome(recorded["genome"]) as genome:
        for name, expected in recorded["windows"].items():
            split, length = name.split("/")
            extent = recorded["max_allowed_length_used_here"]
            windows = official_windows(rows, genome, split, int(length), extent=extent)
            yield [[w.contig, w.start, w.end - w.start] for w in windows] == expected["chrom_start_length"]


def golden_masks() -> Iterator[bool]:
    for case in _recorded("rc_and_mlm")["mlm_getitem"]:
        ids = np.array(case["seq"][: -1 if case["contains_eos"] else None])
        generator = torch.Generator().manual_seed(case["torch_seed"])
        masked = mask_ids_by_torch(ids, generator, rate=case["mlm_probability"])
        yield (masked.input_ids.tolist(), masked.labels.tolist()) == (case["data"], case["target"])


def sound_cuts() -> Iterator[bool]:
    """Inside each interval, none that shares a base with test, though it may touch it, none of N alone."""
    rows = [("a", start, end, "train") for start, end in ((0, 35), (40, 50), (45, 55), (60, 90))]
    with _genome({"a": "ACGT" * 5 + "N" * 12 + "ACGT" * 15}) as genome:
        windows = sound_windows(Intervals.from_rows([*rows, ("a", 50, 60, "test")]), genome, "train", 10)
    yield [w.start for w in windows] == [0, 10, 40, 60, 70, 80]
    yield all(w.end - w.start == 10 for w in windows)


def sound_masks() -> Iterator[bool]:
    """Targets are bases, each the id that was there; a model sees bases or [MASK] in their place."""
    ids = np.tile(np.arange(12), 40)
    targets = np.isin(ids, BASES)
    for number in range(5):
        seen, labels = mask_ids(ids, 0, number, rate=1.0)
        yield bool(np.array_equal(labels, np.where(targets, ids, PAD)))
        yield bool(np.array_equal(seen[~targets], ids[~targets]) and np.isin(seen[targets], [*BASES, MASK]).all())


def strands() -> Iterator[bool]:
    """The reverse strand is read in training alone, as the reverse complement, and N as the model asks."""
    sequence = random_sequence(400, 2, "ACGTN")
    rows = Intervals.from_rows([("a", 0, 240, "train"), ("a", 240, 400, "valid")])
    with _genome({"a": sequence}) as genome:
        for split in ("train", "valid"):
            windows = sound_windows(rows, genome, split, 20)
            given = [[LETTER_ID[letter] for letter in sequence[w.start : w.end]] for w in windows]
            samples = [s["input_ids"].tolist() for s in MaskedLMData(genome, windows, rc=True, rate=0.0, n_as="n")]
            other = [[PARTNER[i] for i in reversed(ids)] for ids in given]
            if split == "valid":
                yield samples == given
            else:
                yield all(ids in [*given, *other] for ids in samples)
                yield 0 < sum(ids in other for ids in samples) < len(samples)
            padded = np.array([s["input_ids"] for s in MaskedLMData(genome, windows, rate=0.0, n_as="pad")])
            yield not (padded == N).any() and bool((padded == PAD).any())


def short_windows() -> Iterator[bool]:
    """A contig shorter than an official window is padded on the left."""
    rows = Intervals.from_rows([("a", 0, 20, "test")])
    with _genome({"a": "ACGT" * 5}) as genome:
        windows = official_windows(rows, genome, "test", 32, extent=32)
        (sample,) = MaskedLMData(genome, windows, rate=0.0)
    yield len(sample["input_ids"]) == 32 and sample["input_ids"][-1] == LETTER_ID["T"]


def order() -> Iterator[bool]:
    """Each window once an epoch, in a new order; the ranks share every global batch."""
    with _genome({"a": random_sequence(200, 3, "ACGT")}) as genome:
        windows = sound_windows(Intervals.from_rows([("a", 0, 200, "train")]), genome, "train", 10)
        data = MaskedLMData(genome, windows, rate=0.0)
        epochs = [[tuple(data[s]["input_ids"]) for s in range(e * 20, e * 20 + 20)] for e in (0, 1)]
    yield sorted(epochs[0]) == sorted(epochs[1]) and len(set(epochs[0])) == 20
    yield epochs[0] != epochs[1]
    ranks = [list(Batches(batch=8, first=2, last=4, rank=rank, world=2)) for rank in (0, 1)]
    yield [a + b for a, b in zip(*ranks, strict=True)] == list(Batches(batch=8, first=2, last=4))


CHECKS: dict[str, Check] = {
    "golden windows": golden_windows,
    "golden masks": golden_masks,
    "sound windows": sound_cuts,
    "sound masks": sound_masks,
    "strands of samples": strands,
    "short windows": short_windows,
    "order of samples": order,
}
