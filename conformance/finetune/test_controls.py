"""What a model must be better than: the k-mer floor and the paper's CNN."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from Bio.Seq import reverse_complement
from hypothesis import given
from hypothesis import strategies as st

from caduceus import encode
from caduceus.conformance.data.conftest import data_folder
from caduceus.conformance.finetune.conftest import Write
from caduceus.data import Labelled, labelled, read_table
from caduceus.evaluate.cnn import CNN
from caduceus.evaluate.kmers import KmerRidge, canonical, kmer_shares
from caduceus.evaluate.metrics import score

__all__ = ["data_folder"]


@given(st.text("ACGTNacgt", max_size=20), st.integers(1, 4))
def test_kmer_shares_are_those_of_a_plain_count(sequence: str, k: int) -> None:
    kmers = [sequence[i : i + k].upper() for i in range(len(sequence) - k + 1)]
    counted = Counter(min(kmer, reverse_complement(kmer)) for kmer in kmers if "N" not in kmer)
    total = sum(counted.values())
    found = kmer_shares([sequence, reverse_complement(sequence)], k)
    assert sorted(found[0][found[0] > 0]) == pytest.approx(sorted(count / total for count in counted.values()))
    assert (found[0] == found[1]).all()
    for kmer in counted:
        code = sum(4 ** (k - 1 - i) * "ACGT".index(base) for i, base in enumerate(kmer))
        assert found[0, canonical(k)[code]] == pytest.approx(counted[kmer] / total)


def _data(table: Write, rows: list[tuple[str, str]], like: Labelled | None = None, **options: str) -> Labelled:
    return labelled(
        table("a.csv", "seq,label\n" + "".join(f"{s},{y}\n" for s, y in rows)),
        like=like,
        **options,  # type: ignore[arg-type]
    )


def _random(n: int, letters: str, seed: int, length: int = 60) -> list[str]:
    return ["".join(row) for row in np.random.default_rng(seed).choice(list(letters), (n, length))]


def test_the_floor_learns_composition(table: Write) -> None:
    rows = [(s, "rich") for s in _random(40, "ACGGCT", 1)] + [(s, "poor") for s in _random(40, "AACGTT", 2)]
    train = _data(table, rows)
    test = _data(table, [(reverse_complement(s), y) for s, y in rows], like=train)
    ridge = KmerRidge(3).fit(train)
    assert score("mcc", ridge.predict(train)) == 1.0
    assert (ridge.predict(test).outputs == ridge.predict(train).outputs).all(), "either strand gives the same"


def test_the_floor_of_numbers_and_of_several_labels(table: Write) -> None:
    sequences = _random(60, "ACGT", 3)
    numbers = _data(table, [(s, str(s.count("G") + s.count("C"))) for s in sequences], problem="regression")
    assert (score("r2", KmerRidge(1).fit(numbers).predict(numbers)) or 0) > 0.99
    flags = [";".join(x for x in ("CG", "AT") if s.count(x) > 3) for s in sequences]
    several = _data(table, list(zip(sequences, flags, strict=True)), problem="multi_label_classification")
    assert (score("auroc", KmerRidge(2).fit(several).predict(several)) or 0) > 0.95


def test_the_floor_of_a_training_split_with_one_class(table: Write) -> None:
    data = _data(table, [("ACGT", "b"), ("AC", "b"), ("NN", "b")])
    test = labelled(table("t.csv", "seq,label\nAC,b\n"), classes=("a", "b"))
    ridge = KmerRidge().fit(labelled(data.table, classes=("a", "b")))
    assert ridge.predict(test).outputs.tolist() == [[0.0, 1.0]]


def test_the_floor_of_short_sequences_and_of_a_class_that_training_lacks(table: Write) -> None:
    train = labelled(table("t.csv", "seq,label\nACACACAC,a\nGG,c\nGGGGG,c\nACACAC,a\n"), classes=("a", "b", "c"))
    outputs = KmerRidge(2).fit(train).predict(train).outputs
    assert outputs.shape == (4, 3)
    assert outputs[:, 1].tolist() == [0.0] * 4
    assert outputs.sum(1) == pytest.approx(np.ones(4))


def test_the_floor_on_real_data_is_the_known_one(data_folder: Path) -> None:
    train = labelled(read_table(data_folder / "gue" / "mouse_2" / "train.csv.gz"))
    test = labelled(read_table(data_folder / "gue" / "mouse_2" / "test.csv.gz"), like=train)
    assert score("mcc", KmerRidge().fit(train).predict(test)) == pytest.approx(0.768, abs=0.03)


def test_the_cnn_pads_on_the_left_and_counts_masked_positions_as_padding() -> None:
    model = CNN(length=60, outputs=3).eval()
    ids, mask = encode(_random(2, "ACGT", 4, 55), pad_to=60)
    padded, ids, mask = torch.tensor(ids), torch.tensor(ids[:, 5:]), torch.tensor(mask)
    here = model(ids)
    assert here.shape == (2, 3)
    assert torch.equal(model(padded), here)
    assert torch.equal(model(padded.masked_fill(~mask, 8), mask), here)
    assert not torch.allclose(model(padded.masked_fill(~mask, 8)), here)
    with pytest.raises(ValueError, match="61 positions, expected at most 60"):
        model(torch.full((1, 61), 7))


def test_the_cnn_reads_sequences_from_its_shortest_on() -> None:
    with pytest.raises(ValueError, match=f"length is {CNN.shortest - 1}, too short .*give {CNN.shortest}"):
        CNN(length=CNN.shortest - 1, outputs=2)
    model = CNN(length=CNN.shortest, outputs=2)
    assert model(torch.full((3, 2), 7)).shape == (3, 2)
    # 57 -> 25 -> 9 -> 1: eight taps and a pool of two, three times
    assert CNN.shortest == 57


def test_the_cnn_has_the_size_that_the_paper_gives() -> None:
    assert sum(parameter.numel() for parameter in CNN(1024, 2).parameters()) == pytest.approx(264_000, rel=0.03)
