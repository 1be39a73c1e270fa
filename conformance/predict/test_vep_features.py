"""Embeddings of alleles: at the right place on either strand, against the model asked directly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from caduceus.alphabet import PAD, N, tokenize
from caduceus.conformance.data.fasta_files import fasta_text, write_fasta
from caduceus.conformance.predict.conftest import CONTIGS
from caduceus.conformance.predict.models import small
from caduceus.data import Allele, Genome
from caduceus.nn.model import Model as ModelModule
from caduceus.predict import both_strands
from caduceus.predict.scoring import copied
from caduceus.recipes.vep_embeddings import AlleleFeatures, header, per_chunk
from caduceus.recipes.vep_eqtl import VepEqtl
from caduceus.symmetry import reverse_complement

LENGTH, RADIUS = 32, 3


def recipe(**fields: Any) -> VepEqtl:
    return VepEqtl(task="vep_eqtl", name="t", **{"length": LENGTH, "radius": RADIUS, "most_unknown": 1.0, **fields})


def substitution(at: int, contig: str = "chr1", count: int = 1) -> Allele:
    ref = CONTIGS[contig][at : at + count].upper()
    return Allele(contig, at, at + count, ref, "".join("CGTA"["ACGT".index(base)] for base in ref))


def asked(model: Any, bases: str) -> tuple[np.ndarray, np.ndarray]:
    """Features (L, C) of a sequence, and of its reverse complement in its own order."""
    with torch.no_grad():
        (found,) = both_strands(model).features(torch.tensor([tokenize(bases)])).numpy()
    return found[0], found[1]


@pytest.mark.parametrize("equivariance", ["ps", "ph"])
@pytest.mark.parametrize("length", [31, 32])
def test_sound_looks_at_the_allele_on_both_strands(genome: Genome, equivariance: str, length: int) -> None:
    model, bases = small(equivariance), CONTIGS["chr1"]
    alleles = [substitution(at) for at in (100, 101, 2000)]
    alone = AlleleFeatures(model, genome, recipe(length=length, radius=0))(alleles)
    around = AlleleFeatures(model, genome, recipe(length=length))(alleles)
    assert alone.shape == (3, 2, 2, 8)
    for i, allele in enumerate(alleles):
        for j, base in enumerate((allele.ref, allele.alt)):
            window = bases[allele.start - 15 : allele.start] + base + bases[allele.end : allele.end + 15]
            forward, reverse = asked(model, window)
            at_variant = [forward[15], reverse[len(window) - 1 - 15]]
            np.testing.assert_allclose(alone[i, j], at_variant, rtol=1e-5, atol=1e-5)
            near = np.arange(15 - RADIUS, 15 + RADIUS + 1)
            means = [forward[near].mean(0), reverse[len(window) - 1 - near].mean(0)]
            np.testing.assert_allclose(around[i, j], means, rtol=1e-5, atol=1e-5)
        assert np.abs(alone[i, 0] - alone[i, 1]).max() > 1e-3


@pytest.mark.parametrize("equivariance", ["ps", "ph"])
def test_an_insertion_is_averaged_with_what_is_on_its_sides(genome: Genome, equivariance: str) -> None:
    model, bases = small(equivariance), CONTIGS["chr1"]
    allele = Allele("chr1", 200, 201, bases[200], bases[200] + "GATTACA")
    (found,) = AlleleFeatures(model, genome, recipe())([allele])
    window = bases[185:200] + allele.alt + bases[201:216]
    near = np.arange(15 - RADIUS, 15 + len(allele.alt) + RADIUS)
    forward, reverse = asked(model, window)
    means = [forward[near].mean(0), reverse[len(window) - 1 - near].mean(0)]
    np.testing.assert_allclose(found[1], means, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("length", [31, 32, 64])
def test_the_reverse_complement_of_everything_exchanges_the_strands_to_the_last_bit(
    genome: Genome, tmp_path: Any, length: int
) -> None:
    turned = tmp_path / "turned"
    turned.mkdir()
    other = Genome(write_fasta(turned, fasta_text({name: reverse_complement(text) for name, text in CONTIGS.items()})))
    starts = [0, 1, 7, 400, 401, 1500, 2985, 2999]  # the ends of the contig too, where windows are masked
    alleles = [
        *map(substitution, starts),
        substitution(700, count=3),
        substitution(90, "chr2"),
        Allele("chr1", 50, 51, CONTIGS["chr1"][50], CONTIGS["chr1"][50] + "TT"),
    ]
    mirrored = [
        Allele(
            a.contig,
            len(CONTIGS[a.contig]) - a.end,
            len(CONTIGS[a.contig]) - a.start,
            *map(reverse_complement, (a.ref, a.alt)),
        )
        for a in alleles
    ]
    model = small("ps")
    found = AlleleFeatures(model, genome, recipe(length=length))(alleles)
    again = AlleleFeatures(model, other, recipe(length=length))(mirrored)
    assert np.isfinite(found).all()
    assert (again == found[:, :, ::-1]).all()


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of each pass of a ps model from now on."""
    rows: list[int] = []
    original = ModelModule.features

    def counted(self: Any, ids: Any, mask: Any = None) -> Any:
        rows.append(len(ids))
        return original(self, ids, mask)

    monkeypatch.setattr(ModelModule, "features", counted)
    return rows


def test_several_variants_share_a_pass_and_batches_change_nothing(genome: Genome, passes: list[int]) -> None:
    model = small()
    alleles = [substitution(at) for at in range(100, 120)]
    together = AlleleFeatures(model, genome, recipe(tokens=16 * 31))(alleles)
    assert passes == [16, 16, 8]
    alone = np.concatenate([AlleleFeatures(model, genome, recipe(tokens=1))([allele]) for allele in alleles])
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-5)


def test_alleles_of_one_place_share_the_window_of_the_reference(genome: Genome, passes: list[int]) -> None:
    ref = CONTIGS["chr1"][100]
    alleles = [Allele("chr1", 100, 101, ref, alt) for alt in "ACGT" if alt != ref]
    found = AlleleFeatures(small(), genome, recipe())(alleles)
    assert sum(passes) == 4
    assert (found[0, 0] == found[2, 0]).all()


@pytest.mark.parametrize("protocol", ["sound", "official"])
@pytest.mark.parametrize("equivariance", ["ps", "ph"])
def test_a_reference_copied_to_the_alternate_changes_nothing(genome: Genome, equivariance: str, protocol: str) -> None:
    alleles = [copied(substitution(at)) for at in (100, 101, 2000)]
    found = AlleleFeatures(small(equivariance), genome, recipe(protocol=protocol))(alleles)
    assert (found[:, 0] == found[:, 1]).all()
    assert np.ptp(found, axis=0).min() > 0, "each has the features of its own place"


def test_too_much_unknown_sequence_leaves_a_variant_out(genome: Genome) -> None:
    features = AlleleFeatures(small(), genome, recipe(most_unknown=0.25))
    found = features([substitution(60, "chr2"), substitution(47, "chr2"), substitution(48, "chr2"), substitution(2)])
    # Windows of 31: of the second 8 are N, of the third 7; of the last 13 lie outside the contig.
    assert np.isnan(found).all((1, 2, 3)).tolist() == [False, True, False, True]


def test_features_that_are_no_numbers_are_an_error(genome: Genome) -> None:
    model = small()
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="features near chr1:101 are not finite; look at its weights"):
        AlleleFeatures(model, genome, recipe())([substitution(100)])


def test_what_is_kept_is_an_npy_file(genome: Genome, tmp_path: Any) -> None:
    features = AlleleFeatures(small(), genome, recipe())
    alleles = [substitution(at) for at in (100, 300)]
    pieces = [features([allele]).tobytes() for allele in alleles]
    (tmp_path / "e.npy").write_bytes(header(2, 8) + b"".join(pieces))
    np.testing.assert_allclose(np.load(tmp_path / "e.npy", mmap_mode="r"), features(alleles), atol=1e-5)
    assert (per_chunk(131_072), per_chunk(1_000), per_chunk(1 << 30)) == (16, 512, 1)


OFFICIAL = {"protocol": "official"}
R = 10


class TestOfficial:
    """Each would fail if the defect were mended."""

    def test_windows_are_even_and_the_reverse_strand_is_a_base_off(self, genome: Genome) -> None:
        """Q30: the reverse strand's features at the forward index, L // 2, where L - 1 - L // 2 would be right."""
        model, bases = small("ps"), CONTIGS["chr1"]
        (found,) = AlleleFeatures(model, genome, recipe(radius=0, **OFFICIAL))([substitution(100)])
        forward, reverse = asked(model, bases[84:116])
        np.testing.assert_allclose(found[0], np.float16([forward[16], reverse[16]]), rtol=2e-3)
        assert np.abs(found[0, 1] - reverse[15]).max() > 1e-2

    def test_of_a_ph_model_the_reverse_strand_is_right(self, genome: Genome) -> None:
        model, bases = small("ph"), CONTIGS["chr1"]
        (found,) = AlleleFeatures(model, genome, recipe(radius=0, **OFFICIAL))([substitution(100)])
        forward, reverse = asked(model, bases[84:116])
        np.testing.assert_allclose(found[0], np.float16([forward[16], reverse[15]]), rtol=2e-3)

    def test_elsewhere_than_in_the_middle_the_reverse_strand_looks_at_the_wrong_place(self, genome: Genome) -> None:
        """The last differing position counts where the middle does not differ."""
        model, bases = small("ps"), CONTIGS["chr1"]
        alt = bases[100] + "".join("CGTA"["ACGT".index(base)] for base in bases[101:104])
        (found,) = AlleleFeatures(model, genome, recipe(radius=0, **OFFICIAL))(
            [Allele("chr1", 100, 104, bases[100:104], alt)]
        )
        forward, reverse = asked(model, bases[84:116])
        np.testing.assert_allclose(found[0], np.float16([forward[19], reverse[19]]), rtol=2e-3)

    def test_edges_of_the_window_are_repeated(self, genome: Genome) -> None:
        model, bases = small("ps"), CONTIGS["chr1"]
        (found,) = AlleleFeatures(model, genome, recipe(length=16, radius=R, **OFFICIAL))([substitution(100)])
        forward, _ = asked(model, bases[92:108])
        positions = [0] * 2 + list(range(16)) + [15] * 3
        assert len(positions) == 2 * R + 1
        np.testing.assert_allclose(found[0, 0], forward[positions].mean(0), rtol=5e-3, atol=5e-3)
        assert np.abs(found[0, 0] - forward.mean(0)).max() > 2e-2

    def test_features_are_rounded_to_half_precision(self, genome: Genome) -> None:
        alleles = [substitution(100)]
        found = AlleleFeatures(small(), genome, recipe(**OFFICIAL))(alleles)
        assert (found == found.astype(np.float16)).all()
        exact = AlleleFeatures(small(), genome, recipe())(alleles)
        assert (exact != exact.astype(np.float16)).any()

    def test_features_beyond_half_precision_are_not_finite(self, genome: Genome) -> None:
        model = small()
        with torch.no_grad():
            dict(model.named_parameters())["norm_f.weight"].mul_(1e6)
        alleles = [substitution(100)]
        assert not np.isfinite(AlleleFeatures(model, genome, recipe(**OFFICIAL))(alleles)).all()
        assert np.isfinite(AlleleFeatures(model, genome, recipe())(alleles)).all()

    def test_n_is_read_as_itself_whatever_the_model_was_trained_with(self, genome: Genome) -> None:
        """Position 40 of chr2 is the first that is no N."""
        model = small(n_as="pad")
        ids = np.array(tokenize(CONTIGS["chr2"].upper()[24:57]))
        assert (ids == N).sum() == 16
        expected = []
        for unknown in (N, PAD):
            with torch.no_grad():
                read = torch.from_numpy(np.where(ids == N, unknown, ids))[None]
                expected.append(model.features(read)[0, 0, 16].numpy())
        assert np.abs(expected[0] - expected[1]).max() > 0.02
        for fields, wanted in zip((OFFICIAL, {}), expected, strict=True):
            (found,) = AlleleFeatures(model, genome, recipe(radius=0, length=33, **fields))([substitution(40, "chr2")])
            np.testing.assert_allclose(found[0, 0], wanted, rtol=1e-3, atol=1e-3)
