"""Samples: what the model is fed, as a function of (seed, global sample index) alone."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pytest
import torch

from caduceus.alphabet import PAD, N
from caduceus.conformance.data.fasta_files import fasta_text, random_sequence, write_fasta
from caduceus.data import (
    Batches,
    Genome,
    Intervals,
    MaskedLMData,
    Windows,
    letter_ids,
    mask_ids_by_torch,
    official_windows,
    sample_windows,
    sound_windows,
)
from caduceus.symmetry import reverse_complement

SEQUENCE = random_sequence(1000, 1, "ACGTacgtACGTacgtNR")
ROWS = Intervals.from_rows([("chr1", 0, 640, "train"), ("chr1", 640, 820, "valid"), ("chr1", 820, 1000, "test")])
LENGTH = 20


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    return Genome(write_fasta(tmp_path_factory.mktemp("genome"), fasta_text({"chr1": SEQUENCE}), "bgzf"))


def windows(genome: Genome, split: str = "train", protocol: str = "sound") -> Windows:
    if protocol == "sound":
        return sound_windows(ROWS, genome, split, LENGTH)
    return official_windows(ROWS, genome, split, LENGTH, extent=320)


def ids_of(text: str) -> list[int]:
    return letter_ids(np.frombuffer(text.encode(), dtype=np.uint8)).tolist()


def unmasked(data: MaskedLMData, sample: int) -> list[int]:
    """The ids of a sample before masking, where rate 0 masks nothing."""
    assert data.rate == 0
    found = data[sample]
    assert np.all(found["labels"] == PAD)
    return list(found["input_ids"].tolist())


def test_items_are_those_of_the_authors(golden: Callable[[str], Any], tmp_path: Path) -> None:
    recorded = golden("hg38_windows")
    official = Genome(write_fasta(tmp_path, fasta_text(recorded["genome"])))
    cut = official_windows(Intervals.from_rows(recorded["bed"]), official, "train", 64, extent=512)
    letters = letter_ids(official.fetch_letters(*cut[3]))
    ids = np.where(letters == N, PAD, letters)

    next_token = recorded["items"]["next_token_train_64_index3"]
    assert ids.tolist() == next_token["data"]
    assert [*ids[1:].tolist(), 1] == next_token["target"]

    masked = mask_ids_by_torch(ids, torch.Generator().manual_seed(0))
    recorded_item = recorded["items"]["mlm_train_64_index3_torchseed0"]
    assert (masked.input_ids.tolist(), masked.labels.tolist()) == (recorded_item["data"], recorded_item["target"])

    data = MaskedLMData(official, cut, rate=0.0)
    position = sample_windows(np.arange(len(data)), len(data), 0).tolist().index(3)
    assert unmasked(data, position) == next_token["data"]


def test_a_short_official_window_is_padded_on_the_left(golden: Callable[[str], Any], tmp_path: Path) -> None:
    recorded = golden("hg38_windows")
    official = Genome(write_fasta(tmp_path, fasta_text(recorded["genome"])))
    cut = official_windows(Intervals.from_rows(recorded["bed"]), official, "test", 512, extent=512)
    assert cut[1].end - cut[1].start == 212
    ids = unmasked(MaskedLMData(official, cut, rate=0.0, n_as="n"), 1)
    assert ids == [PAD] * 300 + ids_of(recorded["genome"]["chrD"][88:300])


def test_training_reads_each_window_once_an_epoch_in_a_new_order(genome: Genome) -> None:
    data = MaskedLMData(genome, windows(genome), rate=0.0, n_as="n")
    texts = {tuple(ids_of(SEQUENCE[i : i + LENGTH])) for i in range(0, 640, LENGTH)}
    assert len(texts) == len(data) == 32
    first, second = ([tuple(unmasked(data, s)) for s in range(e * 32, e * 32 + 32)] for e in (0, 1))
    assert set(first) == set(second) == texts
    assert first != second
    assert [item["input_ids"].tolist() for item in data] == [list(ids) for ids in first]


def test_validation_reads_windows_in_order_with_the_same_masks(genome: Genome) -> None:
    data = MaskedLMData(genome, windows(genome, "valid"), rc=True, rate=0.0, n_as="n")
    starts = range(640, 820, LENGTH)
    assert [item["input_ids"].tolist() for item in data] == [ids_of(SEQUENCE[i : i + LENGTH]) for i in starts]
    with pytest.raises(IndexError, match="sample 9 of 9"):
        data[9]


@pytest.mark.parametrize(("split", "protocol"), [("train", "sound"), ("valid", "official"), ("test", "official")])
def test_the_reverse_strand_is_read_half_of_the_time(genome: Genome, split: str, protocol: str) -> None:
    cut = windows(genome, split, protocol)
    flipped = 0
    for seed in range(12):
        one, two = (MaskedLMData(genome, cut, seed=seed, rc=rc, rate=0.0, n_as="n") for rc in (False, True))
        order = sample_windows(np.arange(len(cut)), len(cut), seed)
        for sample in range(len(one)):
            number = order[sample] if split == "train" else sample
            text = SEQUENCE[cut[number].start : cut[number].end]
            assert unmasked(one, sample) == ids_of(text)
            assert unmasked(two, sample) in (ids_of(text), ids_of(reverse_complement(text)))
            flipped += unmasked(two, sample) != ids_of(text)
    n = 12 * len(cut)
    assert abs(flipped - n / 2) < 5 * (n / 4) ** 0.5


@pytest.mark.parametrize("protocol", ["sound", "official"])
def test_n_is_read_as_the_model_asks(genome: Genome, protocol: str) -> None:
    cut = windows(genome, "train", protocol)
    as_n, as_pad = (MaskedLMData(genome, cut, n_as=n_as, rate=0.0) for n_as in ("n", "pad"))
    found = np.array([unmasked(as_n, s) for s in range(len(cut))])
    assert (found == N).sum() > 5
    assert np.array_equal(np.where(found == N, PAD, found), [unmasked(as_pad, s) for s in range(len(cut))])
    if protocol == "sound":
        everything = [MaskedLMData(genome, cut, n_as=n_as, rate=1.0)[0] for n_as in ("n", "pad")]
        assert np.array_equal(everything[0]["labels"], everything[1]["labels"])


def test_repeats_are_weighted_where_the_letters_are_lower_case(genome: Genome) -> None:
    plain = MaskedLMData(genome, windows(genome), rc=True)
    weighted = MaskedLMData(genome, windows(genome), rc=True, repeat_weight=0.25)
    assert set(plain[0]) == {"input_ids", "labels"}
    seen = set()
    for sample in range(32):
        text = SEQUENCE[slice(*plain.windows[sample_windows(np.array([sample]), 32, 0)[0]][1:])]
        expected = [0.25 if letter.islower() else 1.0 for letter in text]
        flipped = weighted._flips(sample)
        seen.add(flipped)
        found = weighted[sample]
        assert found["loss_weights"].tolist() == (expected[::-1] if flipped else expected)
        assert found["loss_weights"].dtype == np.float32
        assert np.array_equal(found["input_ids"], plain[sample]["input_ids"])
    assert seen == {False, True}


def test_a_window_without_bases_gives_no_targets(tmp_path: Path) -> None:
    genome = Genome(write_fasta(tmp_path, fasta_text({"a": "N" * 64 + "A" * 64})))
    cut = official_windows(Intervals.from_rows([("a", 0, 64, "test")]), genome, "test", 32, extent=64)
    choices: tuple[Literal["n", "pad"], ...] = ("n", "pad")
    for n_as in choices:
        data = MaskedLMData(genome, cut, n_as=n_as)
        assert all(np.all(np.isin(item["labels"], [PAD, N])) for item in data)


@pytest.mark.parametrize("protocol", ["sound", "official"])
def test_several_samples_at_once_are_those_read_one_by_one(genome: Genome, protocol: str) -> None:
    """Out of order, from several epochs, one of them twice."""
    data = MaskedLMData(genome, windows(genome, "train", protocol), rc=True, repeat_weight=0.5)
    samples = [70, 3, 3, 2 * len(data) - 1, len(data), 0]
    rows = data.rows(samples)
    assert rows["input_ids"].shape == (6, LENGTH)
    for i, (sample, listed) in enumerate(zip(samples, data.__getitems__(samples), strict=True)):
        alone = data[sample]
        assert alone.keys() == rows.keys() == listed.keys()
        for name, array in alone.items():
            assert array.dtype == rows[name].dtype
            assert np.array_equal(array, rows[name][i])
            assert np.array_equal(array, listed[name])
        assert np.array_equal(data.repeats(samples)[i], alone["loss_weights"] == 0.5)


def test_a_sample_depends_on_seed_and_index_alone(genome: Genome) -> None:
    data = MaskedLMData(genome, windows(genome), rc=True)
    forwards = [data[s] for s in range(70)]
    copy = pickle.loads(pickle.dumps(data))
    for sample in reversed(range(70)):
        for name, array in copy[sample].items():
            assert np.array_equal(array, forwards[sample][name])
    other = MaskedLMData(genome, windows(genome), rc=True, seed=1)
    assert any(not np.array_equal(other[s]["input_ids"], forwards[s]["input_ids"]) for s in range(5))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_loaders_give_the_same_tokens_whatever_their_workers_and_ranks(genome: Genome) -> None:
    data = MaskedLMData(genome, windows(genome), rc=True, repeat_weight=0.5)

    def batches(workers: int, **share: int) -> list[dict[str, torch.Tensor]]:
        sampler = Batches(batch=8, first=3, last=9, **share)
        dataset = cast("torch.utils.data.Dataset[dict[str, np.ndarray]]", data)
        return list(torch.utils.data.DataLoader(dataset, batch_sampler=sampler, num_workers=workers))

    one = batches(0)
    assert one[0]["input_ids"].shape == (8, LENGTH)
    assert one[0]["input_ids"].dtype == one[0]["labels"].dtype == torch.int64
    many = batches(2)
    ranks = [batches(0, rank=rank, world=2, accumulate=2) for rank in (0, 1)]
    for step in range(6):
        for name in one[step]:
            assert torch.equal(one[step][name], many[step][name])
            shared = [ranks[rank][2 * step + micro][name] for rank in (0, 1) for micro in (0, 1)]
            assert torch.equal(one[step][name], torch.cat(shared))


@pytest.mark.parametrize("options", [{"n_as": "N"}, {"repeat_weight": -1.0}])
def test_bad_arguments(genome: Genome, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        MaskedLMData(genome, windows(genome), **options)
