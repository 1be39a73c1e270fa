"""Controls and measures, against counting by hand and brute force."""

from __future__ import annotations

from collections import Counter
from math import isnan, log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from caduceus.conformance.predict.conftest import CONTIGS
from caduceus.data import Allele, Genome
from caduceus.evaluate import auroc, midranks, spearman
from caduceus.evaluate.metrics import Predictions, score
from caduceus.predict.controls import Composition, Starts
from caduceus.symmetry import reverse_complement


def test_composition_counts_both_strands(genome: Genome) -> None:
    counts: Counter[str] = Counter()
    for sequence in CONTIGS.values():
        for strand in (sequence.upper(), reverse_complement(sequence.upper())):
            counts.update(strand[i : i + 3] for i in range(len(strand) - 2))
    score = Composition(genome)
    seen = set()
    for start in range(1, 600):
        left, ref, right = CONTIGS["chr1"][start - 1 : start + 2]
        for alt in set("ACGT") - {ref}:
            trinucleotide, cpg = score(Allele("chr1", start, start + 1, ref, alt))
            expected = log(counts[left + alt + right] + 0.5) - log(counts[left + ref + right] + 0.5)
            assert trinucleotide == pytest.approx(expected)
            assert cpg == (f"{ref}{right}>{alt}" == "CG>T" or f"{left}{ref}>{alt}" == "CG>A")
            seen.add(cpg)
    assert seen == {0.0, 1.0}


@pytest.mark.parametrize(
    "allele",
    [
        Allele("chr1", 0, 1, "A", "C"),
        Allele("chr1", 2999, 3000, "A", "C"),
        Allele("chr1", 9, 11, "AC", "A"),
        Allele("chr2", 40, 41, "A", "C"),
    ],
)
def test_composition_says_nothing_where_it_cannot(genome: Genome, allele: Allele) -> None:
    assert all(map(isnan, Composition(genome)(allele)))


def test_distance_to_the_nearest_start(folder: Path, genome: Genome) -> None:
    (folder / "genes.bed").write_text("# genes\n1\t100\t200\ta\t0\t+\n1\t300\t400\tb\t0\t-\nchr2\t10\t20\tc\n")
    starts = Starts("genes.bed", genome)
    places = [(0, 100.0), (100, 0.0), (120, 20.0), (380, 19.0), (399, 0.0), (1000, 601.0)]
    assert [(p, starts(Allele("chr1", p, p + 1, "A", "C"))) for p, _ in places] == places
    assert [starts(Allele("chr2", p, p + 1, "A", "C")) for p in (0, 14, 16, 30)] == [10.0, 4.0, 3.0, 11.0]
    assert starts(Allele("chr1", 90, 101, "A" * 11, "A")) == 0.0
    assert isnan(starts(Allele("chrM", 5, 6, "A", "C")))
    (folder / "spaced.bed").write_text("1\t300\t400\tgene b\t0\t-\n")
    assert Starts("spaced.bed", genome)(Allele("chr1", 380, 381, "A", "C")) == 19.0, "a name may hold spaces"
    (folder / "other.bed").write_text("2L\t1\t2\n")
    with pytest.raises(ValueError, match=r"other\.bed has no gene on a contig of genome\.fa"):
        Starts("other.bed", genome)
    (folder / "other.bed").write_text("chr1\tone\t2\n")
    with pytest.raises(ValueError, match="line 1: expected contig, start, end"):
        Starts("other.bed", genome)


SCORES = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40)


@given(SCORES)
def test_auroc_is_the_share_of_pairs_in_order(rows: list[tuple[bool, int]]) -> None:
    positive, score = np.array([p for p, _ in rows]), np.array([float(s) for _, s in rows])
    pairs = [(a > b) + (a == b) / 2 for a in score[positive] for b in score[~positive]]
    found = auroc(positive, score)
    if pairs:
        assert found.value == pytest.approx(sum(pairs) / len(pairs))
        assert 0 <= found.low <= found.value + 1e-12
        assert found.value - 1e-12 <= found.high <= 1
    else:
        assert isnan(found.value)


def test_auroc_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    positive = np.arange(120) < 50
    true = 0.7602  # of normal scores one standard deviation apart: Phi(1 / sqrt 2)
    found = [auroc(positive, rng.normal(size=120) + positive) for _ in range(1000)]
    held = sum(measure.low <= true <= measure.high for measure in found)
    assert 920 <= held <= 975


def test_ranks_and_correlation() -> None:
    rng = np.random.default_rng(1)
    values = rng.integers(0, 9, 50)
    by_hand = [(values < v).sum() + ((values == v).sum() + 1) / 2 for v in values]
    assert midranks(values).tolist() == by_hand
    x = rng.normal(size=300)
    y = x + rng.normal(size=300)
    found = spearman(x, y)
    assert found.value == pytest.approx(np.corrcoef(midranks(x), midranks(y))[0, 1])
    assert found.low < 6 / np.pi * np.arcsin(2**-0.5 / 2) < found.high  # the rank correlation of such normals
    assert spearman(x, -(x**3)).value == -1
    assert isnan(spearman(x, np.zeros(300)).value)


@pytest.mark.parametrize("seed", range(3))
def test_scores_of_a_test_set_by_rank_are_those_of_the_libraries_and_these(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, values = rng.integers(0, 2, 80), rng.integers(0, 9, 80) / 9
    classes = Predictions(truth, np.stack([1 - values, values], 1), "single_label_classification")
    assert score("auroc", classes) == pytest.approx(auroc(truth > 0, values).value, rel=1e-12)
    assert score("auroc", classes) == roc_auc_score(truth, values)
    numbers = rng.integers(0, 5, (80, 2)) + values[:, None]
    targets = rng.integers(0, 7, (80, 2)).astype(float)
    found = score("spearman", Predictions(targets, numbers, "regression"))
    assert found == np.mean([spearmanr(targets[:, i], numbers[:, i]).statistic for i in range(2)])
    assert found == pytest.approx(np.mean([spearman(targets[:, i], numbers[:, i]).value for i in range(2)]), rel=1e-12)
    three = rng.dirichlet(np.ones(3), 80)
    said = Predictions(rng.integers(0, 3, 80), three, "single_label_classification")
    assert score("auroc", said) == pytest.approx(roc_auc_score(said.truth, three, multi_class="ovr"))
