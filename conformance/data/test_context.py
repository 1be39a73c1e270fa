"""Context models against brute force, and their numbers on E. coli."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caduceus.alphabet import decode, encode
from caduceus.conformance.data.fasta_files import fasta_text, write_fasta
from caduceus.data import (
    ContextModel,
    Genome,
    IntervalIds,
    Intervals,
    Score,
    context_models,
    ecoli_path,
    is_lower,
    letter_ids,
)
from caduceus.data import context as module
from caduceus.data.genome import REPEAT
from caduceus.symmetry import reverse_complement

SEQUENCES = st.lists(st.text("ACGTN", max_size=40), min_size=1, max_size=4)
ORDERS = st.sampled_from([(0, 0), (1, 0), (3, 0), (1, 1), (2, 2), (0, 2)])


def ids(texts: list[str]) -> list[np.ndarray]:
    return [encode(text)[0][0] for text in texts]


def codes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), dtype=np.uint8)


def contexts(texts: list[str], left: int, right: int) -> list[tuple[str, str]]:
    """(context, base) of each base with its whole context."""
    found = []
    for text in texts:
        for i in range(left, len(text) - right):
            window = text[i - left : i + right + 1]
            if "N" not in window:
                found.append((window[:left] + window[left + 1 :], text[i]))
    return found


@given(SEQUENCES, SEQUENCES, ORDERS)
def test_counts_and_bits_are_those_of_the_definition(
    train: list[str], held_out: list[str], order: tuple[int, int]
) -> None:
    left, right = order
    counts = Counter(contexts([*train, *map(reverse_complement, train)], left, right))
    model = ContextModel.fit(ids(train), left, right, pseudocount=1.0)
    assert model.counts.sum() == counts.total()
    bits = []
    for context, base in contexts(held_out, left, right):
        total = sum(counts[context, b] for b in "ACGT")
        bits.append(-math.log2((counts[context, base] + 1) / (total + 4)))
    if bits:
        assert model.bits_per_base(ids(held_out)) == pytest.approx(np.mean(bits), abs=1e-12)
    else:
        with pytest.raises(ValueError, match="give longer sequences"):
            model.bits_per_base(ids(held_out))


def test_long_sequences_are_counted_in_pieces_without_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(np.random.default_rng(0).choice(list("ACGTN"), 1000, p=[0.3, 0.2, 0.2, 0.2, 0.1]))
    whole = ContextModel.fit(ids([text]), 2, 2)
    monkeypatch.setattr(module, "_POSITIONS_AT_ONCE", 64)
    pieces = ContextModel.fit(ids([text]), 2, 2)
    assert np.array_equal(whole.counts, pieces.counts)
    assert whole.bits_per_base(ids([text])) == pytest.approx(pieces.bits_per_base(ids([text])), abs=1e-12)


def test_an_even_genome_has_two_bits_per_base() -> None:
    model = ContextModel.fit([], 2)
    assert model.bits_per_base(ids(["ACGTTGCAACGT"])) == pytest.approx(2.0, abs=1e-14)


def test_numbers_on_e_coli() -> None:
    """Counted on the first 90 % of the genome, both strands; evaluated on the last 10 %."""
    genome = Genome(ecoli_path())
    rows = Intervals.of_genome(genome, valid=0.0, test=0.1)
    models = context_models(IntervalIds(genome, rows.of("train")))
    held_out = IntervalIds(genome, rows.of("test"))
    bits = {side: {k: m.bits_per_base(held_out) for k, m in by_order.items()} for side, by_order in models.items()}
    assert bits["one_sided"] == {5: pytest.approx(1.937, abs=5e-4)}
    assert bits["two_sided"] == {3: pytest.approx(1.868, abs=5e-4), 4: pytest.approx(1.849, abs=5e-4)}


@given(SEQUENCES, st.lists(st.text("ACGTacgtN", max_size=40), min_size=1, max_size=3), ORDERS)
def test_bits_of_each_kind_are_those_of_the_definition(
    train: list[str], held_out: list[str], order: tuple[int, int]
) -> None:
    """A base is in a repeat if its own letter is lower case, whatever its context is."""
    left, right = order
    model = ContextModel.fit(ids(train), left, right)
    costs: dict[str, list[float]] = {kind: [] for kind in Score.KINDS}
    for text in held_out:
        for i in range(left, len(text) - right):
            window = text[i - left : i + right + 1].upper()
            if "N" not in window:
                alone = model.bits_per_base(ids([window]))  # one base has its whole context
                costs["repeat" if text[i].islower() else "unique"].append(alone)
                costs[text[i].upper()].append(alone)
    marked = [letter_ids(x) + np.uint8(REPEAT) * is_lower(x) for x in map(codes, held_out)]
    if not costs["unique"] and not costs["repeat"]:
        return
    found = model.score(marked)
    assert found.bits_by_kind() == {
        kind: pytest.approx(np.mean(bits), abs=1e-12) if bits else None for kind, bits in costs.items()
    }
    assert found.targets == len(costs["unique"]) + len(costs["repeat"])


def test_interval_ids_mark_what_is_soft_masked(tmp_path: Path) -> None:
    genome = Genome(write_fasta(tmp_path, fasta_text({"a": "ACgtNn"})))
    (found,) = IntervalIds(genome, Intervals.from_rows([("a", 0, 6, "train")]))
    assert found.tolist() == [7, 8, 9 + REPEAT, 10 + REPEAT, 11, 11 + REPEAT]


def test_interval_ids_read_the_genome_each_time() -> None:
    genome = Genome(ecoli_path())
    rows = IntervalIds(genome, Intervals.from_rows([("K-12-MG1655", 0, 8, "train"), ("K-12-MG1655", 8, 10, "train")]))
    assert [decode(part) for part in rows] == [decode(part) for part in rows] == ["AGCTTTTC", "AT"]


@pytest.mark.parametrize(("left", "right", "pseudocount"), [(-1, 0, 0.5), (7, 6, 0.5), (1, 1, 0.0)])
def test_bad_arguments(left: int, right: int, pseudocount: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        ContextModel.fit([], left, right, pseudocount=pseudocount)
