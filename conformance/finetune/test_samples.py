"""Samples of labelled sequences: padding, cutting, strands, and what is held out for validation."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from caduceus import decode, encode
from caduceus.alphabet import PAD, UNK, N
from caduceus.checkpoint.finetuning import finetuning_head, finetuning_model
from caduceus.data import Labelled, Table, labelled
from caduceus.data.finetuning import LabelledSamples, target_scale
from caduceus.data.holding_out import hold_out
from caduceus.parts import BiMamba, Embedding, Mamba, MaskedLM, Model
from caduceus.symmetry import reverse_complement
from caduceus.train.loader import collate


def make(rows: list[tuple[str, str]], **options: str) -> Labelled:
    columns = {"seq": [s for s, _ in rows], "label": [y for _, y in rows]}
    return labelled(Table("t.csv", columns, np.arange(len(rows))), **options)  # type: ignore[arg-type]


def test_the_two_protocols_read_the_same_sequence_each_in_its_way() -> None:
    data = make([("acGTN", "1")])
    sound = LabelledSamples(data, 7, n_as="pad")[0]
    official = LabelledSamples(data, 7, protocol="official")[0]
    assert sound["input_ids"].tolist() == [PAD, PAD, 7, 8, 9, 10, PAD]
    assert sound["mask"].tolist() == [False, False, True, True, True, True, True], "N is sequence, padding is not"
    assert official["input_ids"].tolist() == [PAD, PAD, UNK, UNK, 9, 10, N]
    assert official["mask"].all()
    assert LabelledSamples(data, 3)[0]["input_ids"].tolist() == [7, 8, 9]


def test_training_shuffles_each_epoch_and_reads_half_on_the_reverse_strand() -> None:
    data = make([(f"{'A' * (i + 1)}C", str(i)) for i in range(20)])
    samples = LabelledSamples(data, 24, training=True, reverses=True, seed=3)
    epochs = [[samples[20 * epoch + i] for i in range(20)] for epoch in range(6)]
    orders = [[int(sample["labels"]) for sample in epoch] for epoch in epochs]
    assert all(sorted(order) == list(range(20)) for order in orders)
    assert len({tuple(order) for order in orders}) == 6
    reverse = 0
    for epoch in epochs:
        for sample in epoch:
            forward = f"{'A' * (int(sample['labels']) + 1)}C"
            text = decode(sample["input_ids"][sample["mask"]])
            assert text in (forward, "G" + "T" * (len(forward) - 1))
            reverse += text != forward
    assert 40 < reverse < 80
    assert LabelledSamples(data, 24, training=True, reverses=True, seed=3)[77]["mask"].tolist() == (
        samples[77]["mask"].tolist()
    )
    with pytest.raises(IndexError, match="sample 20 of 20"):
        LabelledSamples(data, 24)[20]


def test_a_cut_keeps_the_end_that_is_first_on_the_strand_that_is_read() -> None:
    samples = LabelledSamples(make([("AACCCC", "0")]), 2, training=True, reverses=True)
    assert {decode(samples[i]["input_ids"]) for i in range(40)} == {"AA", "GG"}


def test_a_pair_is_two_strands_each_cut_and_padded_on_its_own() -> None:
    data = make([("ACG", "0"), ("AACCGGTAC", "1")])
    short, long = (sample["input_ids"] for sample in LabelledSamples(data, 5, protocol="official", pairs=True))
    assert [decode(short[:, strand]) for strand in (0, 1)] == ["[PAD][PAD]ACG", "[PAD][PAD]CGT"]
    assert [decode(long[:, strand]) for strand in (0, 1)] == ["AACCG", "GTACC"], "each without its own end"
    with pytest.raises(ValueError, match=r"pairs with protocol 'sound', expected 'official'"):
        LabelledSamples(data, 5, pairs=True)


def test_a_model_that_conjoins_averages_the_strands_of_a_pair() -> None:
    mixers = [BiMamba(mamba=Mamba(d_state=2))]
    spec = Model(equivariance="ph", embedding=Embedding(d_model=8), mixers=mixers, head=MaskedLM())
    plain, both = (
        finetuning_model(spec, finetuning_head(spec, 2, conjoining=mode), seed=1, backend="torch").eval()
        for mode in ("none", "test")
    )
    data = make([("ACG", "0"), ("AACCGGTAC", "1")])
    strands = [[s[:5], reverse_complement(s)[:5]] for s in data.sequences]
    # No mask: the authors have none, and pool over padding.
    expected = [plain(encode(each, pad_to=5)[0]).detach().numpy().mean(0) for each in strands]
    samples = LabelledSamples(data, 5, protocol="official", pairs=True)
    batch = collate(list(samples))
    assert both(batch["input_ids"], batch["mask"]).detach().numpy() == pytest.approx(np.stack(expected), abs=1e-6)


def test_targets_are_scaled_by_the_training_split() -> None:
    data = make([("A", "1"), ("C", "3"), ("G", "5")], problem="regression")
    scale = target_scale(data)
    assert scale is not None
    scaled = np.stack([sample["labels"] for sample in LabelledSamples(data, 1, scale=scale)])
    assert scaled.mean() == pytest.approx(0, abs=1e-6)
    assert scaled.std() == pytest.approx(1)
    constant = target_scale(make([("A", "2"), ("C", "2")], problem="regression"))
    assert constant is not None
    assert constant[1].tolist() == [1.0]
    assert target_scale(make([("A", "x")])) is None


@given(st.lists(st.sampled_from("abc"), min_size=30, max_size=60), st.integers(0, 5))
def test_a_stratified_part_has_every_class_by_its_share(labels: list[str], seed: int) -> None:
    labels += ["a", "a", "b", "b", "c", "c"]
    data = make([("A" * (i + 1), y) for i, y in enumerate(labels)])
    train, valid = hold_out(data, seed)
    assert sorted([*train.sequences, *valid.sequences]) == sorted(data.sequences)
    for name, count in Counter(labels).items():
        assert abs(valid.counts()[name] - 0.1 * count) <= 1.0
        assert train.counts()[name] > 0
    again, _ = hold_out(data, seed)
    assert list(again.sequences) == list(train.sequences)


def test_what_cannot_be_held_out_is_refused() -> None:
    with pytest.raises(ValueError, match=r"class 'b' has a single row"):
        hold_out(make([("A", "a")] * 20 + [("C", "b")]), 0)
    with pytest.raises(ValueError, match=r"2 rows are too few"):
        hold_out(make([("A", "a"), ("C", "a")]), 0, share=0.9)


def test_a_single_row_is_too_few_whatever_the_problem() -> None:
    for problem, label in (("regression", "0.5"), ("multi_label_classification", "x;y")):
        with pytest.raises(ValueError, match=r"t.csv: 1 rows are too few to hold 1 out for validation"):
            hold_out(make([("ACG", label)], problem=problem), 0)


def test_rare_sets_of_labels_and_numbers_can_be_held_out() -> None:
    flags = ["x"] * 20 + ["y"] * 20 + ["x;y"]
    several = make([("A", y) for y in flags], problem="multi_label_classification")
    numbers = make([("A", str(i)) for i in range(50)], problem="regression")
    for data, count in ((several, 5), (numbers, 5)):
        train, valid = hold_out(data, 0)
        assert (len(train), len(valid)) == (len(data) - count, count)
    parts = sorted(int(value) // 10 for value in hold_out(numbers, 0)[1].labels[:, 0])
    assert parts == [0, 1, 2, 3, 4], "a row of each fifth"


def test_many_rare_sets_of_labels_do_not_take_rows_from_training() -> None:
    names = np.array(list("abcdefgh"))
    sets = [";".join(names[flags]) for flags in np.random.default_rng(1).random((400, 8)) < 0.5]
    train, valid = hold_out(make([("A", y) for y in sets], problem="multi_label_classification"), 0)
    assert (len(train), len(valid)) == (360, 40)


@pytest.mark.parametrize("rows", [7, 10, 19, 101])
def test_the_official_part_of_genomic_benchmarks_is_that_of_random_split(rows: int) -> None:
    data = make([("A" * (i + 1), "a") for i in range(rows)])
    parts = torch.utils.data.random_split(
        range(rows),  # type: ignore[arg-type]
        [0.1, 0.9],
        generator=torch.Generator().manual_seed(5),
    )
    _, valid = hold_out(data, 5, way="torch")
    assert sorted(len(s) - 1 for s in valid.sequences) == sorted(parts[0].indices)


def test_the_official_part_of_the_hub_is_a_permutation_of_numpy() -> None:
    data = make([("A" * (i + 1), "a") for i in range(21)])
    _, valid = hold_out(data, 4, way="hub")
    expected = np.random.default_rng(4).permutation(21)[:3]
    assert sorted(len(s) - 1 for s in valid.sequences) == sorted(expected.tolist())
