"""Scores are what they say, from a plain loop; the same on either strand; the same in any batch."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Any

import numpy as np
import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.alphabet import BASES, MASK, PAD
from caduceus.conformance.data.fasta_files import fasta_text, random_sequence, write_fasta
from caduceus.conformance.predict.conftest import CONTIGS
from caduceus.conformance.predict.models import small
from caduceus.data import Genome
from caduceus.predict import Score, Scoring, score_variants
from caduceus.symmetry import reverse_complement

SHORT = Scoring(window=33, radius=4, neighbours=3)
Row = tuple[str, int, str, str]


def variants(contig: str, starts: Sequence[int], changes: Sequence[tuple[int, str]]) -> list[Row]:
    """Rows at 0-based starts: a number of reference bases, and what stands there instead."""
    bases = CONTIGS[contig].upper()
    return [
        (contig, start + 1, bases[start : start + n], alt)
        for start in starts
        for n, alt in changes
        if set(bases[start : start + n]) <= set("ACGT") and bases[start : start + n] != alt
    ]


CHANGES = [(1, "A"), (1, "C"), (1, "G"), (1, "T"), (2, "GT"), (3, "TCA"), (1, "ACGTA"), (4, "A"), (2, "TTTT")]
ROWS = [
    *variants("chr1", [0, 3, 500, 1500, 2990], CHANGES),
    *variants("chr2", [45, 60, 438, 500], CHANGES),
    *variants("chrM", [0, 30, 57], CHANGES),
]


class ByHand:
    """One variant at a time, in float64, from the definitions."""

    def __init__(self, model: Any, genome: Genome, scoring: Scoring) -> None:
        self.genome, self.scoring, self.flank = genome, scoring, scoring.window // 2
        self.n_as = model.spec.n_as
        plain = model.spec.equivariance != "ps"
        spec = parts.Symmetrize(model=model.spec) if plain else model.spec
        weights = {f"model.{name}" if plain else name: value for name, value in model.weights().items()}
        self.wide = caduceus.build(spec, dtype="float64", backend="torch", weights=weights).eval()

    def __call__(self, row: Row) -> dict[str, float]:
        contig, start, ref, alt = row[0], row[1] - 1, row[2], row[3]
        if len(ref) == len(alt):
            while ref[0] == alt[0]:
                start, ref, alt = start + 1, ref[1:], alt[1:]
            while ref[-1] == alt[-1]:
                ref, alt = ref[:-1], alt[:-1]
        place = contig, start, start + len(ref)
        found = {"distance": float(np.linalg.norm(self.pooled(place, ref) - self.pooled(place, alt)))}
        if len(ref) == len(alt):
            return found | self.substitution(place, ref, alt)
        ours, theirs = self.likelihoods(place, alt), self.likelihoods(place, ref)
        return found | {"pll": sum(ours) - sum(theirs), "pll_mean": float(np.mean(ours) - np.mean(theirs))}

    def substitution(self, place: tuple[str, int, int], ref: str, alt: str) -> dict[str, float]:
        changed = [i for i in range(len(ref)) if ref[i] != alt[i]]
        there = self.logits(place, ref, [self.flank + i for i in changed])
        log_p = there - np.log(np.exp(there).sum(1, keepdims=True))
        refs, alts = (["ACGT".index(bases[i]) for i in changed] for bases in (ref, alt))
        return {
            "llr": sum(there[i, alts[i]] - there[i, refs[i]] for i in range(len(changed))),
            "ref_prob": float(np.exp(sum(log_p[i, refs[i]] for i in range(len(changed))))),
        }

    def likelihoods(self, place: tuple[str, int, int], bases: str) -> list[float]:
        ids, valid = self.window(place, bases)
        margin = self.flank - self.scoring.neighbours
        found = []
        for i in range(margin, ids.shape[1] - margin):
            if valid[0, i] and ids[0, i] in BASES:
                there = self.logits(place, bases, [i])[0]
                found.append(float(there[ids[0, i] - 7] - np.log(np.exp(there).sum())))
        return found

    def window(self, place: tuple[str, int, int], bases: str) -> tuple[np.ndarray, np.ndarray]:
        contig, start, end = place
        left, right, length = start - self.flank, end + self.flank, self.genome.contigs[contig]
        before, after = (
            self.genome.fetch(contig, max(0, left), start),
            self.genome.fetch(contig, end, min(right, length)),
        )
        ids, _ = caduceus.encode(before + bases + after)
        if self.n_as == "pad":
            ids[ids == 11] = PAD
        outside = (0, 0), (max(0, -left), max(0, right - length))
        return np.pad(ids, outside, constant_values=PAD), np.pad(np.ones_like(ids, dtype=bool), outside)

    def logits(self, place: tuple[str, int, int], bases: str, masked: list[int]) -> np.ndarray:
        ids, valid = self.window(place, bases)
        ids[0, masked] = MASK
        with torch.no_grad():
            return self.wide(ids, valid)[0, masked][:, list(BASES)].numpy()

    def pooled(self, place: tuple[str, int, int], bases: str) -> np.ndarray:
        ids, valid = self.window(place, bases)
        margin = self.flank - self.scoring.radius
        near = slice(margin, ids.shape[1] - margin)
        with torch.no_grad():
            return self.wide.features(ids, valid)[0, :, near].sum(1).numpy() / valid[0, near].sum()


@pytest.mark.parametrize(("equivariance", "n_as"), [("ps", "n"), ("ps", "pad"), ("ph", "n"), ("none", "pad")])
def test_scores_are_what_they_say(genome: Genome, equivariance: str, n_as: str) -> None:
    model = small(equivariance, n_as=n_as)
    rows = ROWS[:: 2 if equivariance == "ps" else 5]
    table = score_variants(model, genome, rows, scoring=SHORT)
    assert table["note"].tolist() == [""] * len(rows)
    by_hand = ByHand(model, genome, SHORT)
    for row, scored in zip(rows, table, strict=True):
        expected = by_hand(row)
        for name in Score._fields:
            if name in expected:
                assert scored[name] == pytest.approx(expected[name], rel=2e-4, abs=2e-4), (row, name)
            else:
                assert isnan(scored[name])
    assert np.nanstd(table["llr"]) > 0.1


def on_the_other_strand(rows: Sequence[Row]) -> list[Row]:
    return [
        (contig, len(CONTIGS[contig]) - (position - 1 + len(ref)) + 1, reverse_complement(ref), reverse_complement(alt))
        for contig, position, ref, alt in rows
    ]


@pytest.mark.parametrize("backend", ["torch", "auto"])
@pytest.mark.parametrize("equivariance", ["ps", "ph"])
def test_the_reverse_complement_of_everything_scores_the_same_to_the_last_bit(
    folder: Any, genome: Genome, equivariance: str, backend: str
) -> None:
    model = small(equivariance, backend=backend)
    there = Genome(
        write_fasta(folder, fasta_text({name: reverse_complement(s) for name, s in CONTIGS.items()}), name="reverse")
    )
    table = score_variants(model, genome, ROWS, scoring=SHORT)
    reverse = score_variants(model, there, on_the_other_strand(ROWS), scoring=SHORT)
    for name in Score._fields:
        assert table[name].tobytes() == reverse[name].tobytes(), name


def test_one_window_of_the_real_length_mirrors_on_itself(folder: Any) -> None:
    sequence = random_sequence(1025, 5, "ACGT")
    here = Genome(write_fasta(folder, fasta_text({"c": sequence})))
    there = Genome(write_fasta(folder, fasta_text({"c": reverse_complement(sequence)}), name="reverse"))
    alt = "CGTA"["ACGT".index(sequence[512])]
    (one,) = score_variants(small(), here, [("c", 513, sequence[512], alt)])
    (other,) = score_variants(small(), there, [("c", 513, reverse_complement(sequence[512]), reverse_complement(alt))])
    assert (one["llr"], one["distance"]) == (other["llr"], other["distance"])
    assert one["llr"] != 0


def test_batches_change_no_score(genome: Genome) -> None:
    model = small()
    together = score_variants(model, genome, ROWS, scoring=SHORT)
    alone = score_variants(model, genome, ROWS, scoring=Scoring(window=33, radius=4, neighbours=3, tokens=1))
    backwards = score_variants(model, genome, ROWS[::-1], scoring=SHORT)[::-1]
    for name in Score._fields:
        np.testing.assert_allclose(together[name], alone[name], rtol=0, atol=1e-5)
        np.testing.assert_allclose(together[name], backwards[name], rtol=0, atol=1e-5)


def test_a_substitution_scores_the_same_however_it_is_written(genome: Genome) -> None:
    bases = CONTIGS["chr1"]
    alt = "CGTA"["ACGT".index(bases[700])]
    rows = [
        ("chr1", 701, bases[700], alt),
        ("1", 701, bases[700].lower(), alt.lower()),
        ("chr1", 700, bases[699:701], bases[699] + alt),
        ("chr1", 699, bases[698:703], bases[698:700] + alt + bases[701:703]),
    ]
    table = score_variants(small(), genome, rows, scoring=SHORT)
    for name in ("llr", "ref_prob", "distance"):
        assert len(set(table[name].tolist())) == 1


def test_variants_at_one_position_share_a_pass(genome: Genome, monkeypatch: pytest.MonkeyPatch) -> None:
    model = small()
    rows_read = []
    original = type(model).forward
    monkeypatch.setattr(
        type(model), "forward", lambda self, ids, mask=None: rows_read.append(len(ids)) or original(self, ids, mask)
    )
    bases = CONTIGS["chr1"]
    rows = [("chr1", i + 1, bases[i], alt) for i in (600, 601) for alt in "ACGT" if alt != bases[i]]
    score_variants(model, genome, rows + rows[:2], scoring=Scoring(window=33, radius=None))
    assert sum(rows_read) == 2


def test_nothing_outside_the_contig_is_invented(folder: Any) -> None:
    """A base at a contig's end scores as in a window of the contig alone; a neighbouring contig changes nothing."""
    short = random_sequence(20, 3, "ACGT")
    alone = Genome(write_fasta(folder, fasta_text({"c": short}), name="alone"))
    between = {"a": random_sequence(50, 1), "c": short, "b": random_sequence(50, 2)}
    among = Genome(write_fasta(folder, fasta_text(between), name="among"))
    row = [("c", 1, short[0], "CGTA"["ACGT".index(short[0])])]
    small_window, large = (score_variants(small(), alone, row, scoring=Scoring(window=n, radius=2)) for n in (39, 401))
    neighboured = score_variants(small(), among, row, scoring=Scoring(window=39, radius=2))
    for name in ("llr", "ref_prob", "distance"):
        assert neighboured[name] == small_window[name]
    assert large["llr"] == pytest.approx(small_window["llr"], abs=1e-5)


def test_a_model_that_ignores_masks_leaves_the_edges_out(genome: Genome) -> None:
    spec = parts.Model(
        embedding=parts.Embedding(d_model=8),
        mixers=[{"kind": "caduceus.conformance.predict.models:Unmasked"}],
        head=parts.MaskedLM(),
    )
    rows = variants("chrM", [3, 30], [(1, "A"), (1, "C")])
    notes = score_variants(caduceus.build(spec), genome, rows, scoring=Scoring(window=33, radius=2))["note"]
    assert notes.tolist() == ["edge" if row[1] == 4 else "" for row in rows]


REFUSED = {
    "an even window": (lambda: Scoring(window=1024), ValueError, "window is 1024, expected an odd number"),
    "a radius beyond the window": (lambda: Scoring(window=9, radius=5), ValueError, "radius is 5, expected 0 to 4"),
    "neighbours beyond it": (lambda: Scoring(window=9, radius=1, neighbours=7), ValueError, "neighbours is 7"),
    "no tokens": (lambda: Scoring(tokens=0), ValueError, "tokens is 0"),
}


@pytest.mark.parametrize("which", REFUSED)
def test_settings_that_cannot_be(which: str) -> None:
    make, kind, message = REFUSED[which]
    with pytest.raises(kind, match=message):
        make()


def test_models_that_cannot_score(genome: Genome) -> None:
    classifier = parts.Model(
        embedding=parts.Embedding(d_model=8), mixers=[], head=parts.SequenceClassifier(num_labels=2)
    )
    with pytest.raises(ValueError, match="the model has a sequence_classifier, expected a masked-LM head"):
        score_variants(caduceus.build(classifier), genome, ROWS)
    with pytest.raises(TypeError, match=r"model is dict, expected what caduceus\.build or load_pretrained returns"):
        score_variants({}, genome, ROWS)
    with pytest.raises(ValueError, match=r"variant 1 is .*: its position is no whole number"):
        score_variants(small(), genome, [("chr1", 1.7, "A", "C")])  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"variant 1 is .*expected \(contig, position from 1, ref, alt\)"):
        score_variants(small(), genome, [("chr1", 4, "A")])


def test_the_mode_of_the_model_is_as_it_was(genome: Genome) -> None:
    model = small().train()
    score_variants(model, genome, ROWS[:2], scoring=SHORT)
    assert model.training
