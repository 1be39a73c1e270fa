"""Tracks over regions: what a plain loop gives, the same wherever a tile or a region begins and ends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.alphabet import BASES, MASK
from caduceus.conformance.data.fasta_files import fasta_text, write_fasta
from caduceus.conformance.predict.conftest import CONTIGS
from caduceus.conformance.predict.models import Unmasked, small
from caduceus.data import Genome
from caduceus.predict import Tiling, score_regions, score_variants
from caduceus.predict.scoring import Scoring
from caduceus.symmetry import reverse_complement

TRACKS = ("entropy", "ref_prob", "log_likelihood")


def test_each_base_by_itself_is_what_its_window_says(genome: Genome) -> None:
    model, flank = small(), 16
    (piece,) = score_regions(model, genome, [("chr2", 430, 452)], tiling=Tiling(33, every=None, tile=8))
    sequence = CONTIGS["chr2"]
    for at, position in enumerate(range(430, 452)):
        ids, _ = caduceus.encode(sequence[position - flank : position + flank + 1])
        true = ids[0, flank]
        if true not in BASES:
            assert all(np.isnan(piece.tracks[name][at]) for name in TRACKS)
            continue
        ids[0, flank] = MASK
        with torch.no_grad():
            p = model(ids)[0, flank, list(BASES)].double().softmax(-1).numpy()
        expected = (-(p * np.log2(p)).sum(), p[true - 7], np.log2(p[true - 7]))
        assert [piece.tracks[name][at] for name in TRACKS] == pytest.approx(expected, abs=1e-5)


def test_reference_probabilities_are_those_of_the_variants(genome: Genome) -> None:
    bases = CONTIGS["chr1"]
    rows = [("chr1", p + 1, bases[p], "CGTA"["ACGT".index(bases[p])]) for p in range(40)]
    table = score_variants(small(), genome, rows, scoring=Scoring(window=33, radius=None))
    (piece,) = score_regions(small(), genome, [("chr1", 0, 40)], tiling=Tiling(33, every=None))
    np.testing.assert_allclose(piece.tracks["ref_prob"], table["ref_prob"], atol=1e-6)


def test_several_bases_masked_together(genome: Genome) -> None:
    """A tile by hand: every fifth base of tile and flanks is masked, by its position in the contig."""
    model = small()
    (piece,) = score_regions(model, genome, [("chrM", 20, 40)], tiling=Tiling(17, every=5, tile=20))
    ids, _ = caduceus.encode(CONTIGS["chrM"][12:48])
    for share in range(5):
        masked = [i for i in range(36) if (i + 12) % 5 == share]
        seen = ids.copy()
        seen[0, masked] = MASK
        with torch.no_grad():
            p = model(seen)[0][:, list(BASES)].double().softmax(-1).numpy()
        for i in masked:
            if 8 <= i < 28:
                assert piece.tracks["ref_prob"][i - 8] == pytest.approx(p[i, ids[0, i] - 7], abs=1e-5)


def test_a_base_has_the_same_values_in_whatever_region_it_is_asked_for(genome: Genome) -> None:
    tiling = Tiling(33, every=4, tile=50)
    (whole,) = score_regions(small(), genome, [("chr1", 0, 400)], tiling=tiling)
    regions = [("chr1", 3, 5), ("1", 49, 51), ("chr1", 120, 333)]
    for part in score_regions(small(), genome, regions, tiling=tiling):
        assert part.contig == "chr1"
        for name in TRACKS:
            assert part.tracks[name].tobytes() == whole.tracks[name][part.start : part.end].tobytes()


def test_tile_edges_do_not_show(genome: Genome) -> None:
    """Tiles of another size give the same track, where the overlap is longer than what the model remembers."""

    def difference(window: int) -> float:
        one, other = (
            score_regions(small(), genome, [("chr1", 100, 400)], tiling=Tiling(window, every=4, tile=tile))[0].tracks
            for tile in (64, 100)
        )
        return max(float(np.abs(one[name] - other[name]).max()) for name in TRACKS)

    assert difference(401) < 2e-3
    assert difference(1) > 0.1


def test_the_reverse_complement_gives_the_reversed_tracks_to_the_last_bit(folder: Path, genome: Genome) -> None:
    turned = fasta_text({name: reverse_complement(sequence) for name, sequence in CONTIGS.items()})
    there = Genome(write_fasta(folder, turned, name="reverse"))
    length = len(CONTIGS["chr2"])
    tiling = Tiling(33, every=None, tokens=1)
    (one,) = score_regions(small(), genome, [("chr2", 30, 90)], tiling=tiling)
    (other,) = score_regions(small(), there, [("chr2", length - 90, length - 30)], tiling=tiling)
    for name in TRACKS:
        assert one.tracks[name].tobytes() == other.tracks[name][::-1].tobytes()


def test_what_cannot_be_read(genome: Genome) -> None:
    with pytest.raises(ValueError, match="chr1:2990-3001 is not a range inside 'chr1'"):
        score_regions(small(), genome, [("chr1", 2990, 3001)])
    with pytest.raises(ValueError, match="every is 1, expected at least 2"):
        Tiling(every=1)
    spec = parts.Model(
        embedding=parts.Embedding(d_model=8),
        mixers=[{"kind": f"{Unmasked.__module__}:Unmasked"}],
        head=parts.MaskedLM(),
    )
    model = caduceus.build(spec)
    with pytest.raises(ValueError, match="nearer than 16 bases and a tile to the end of its contig"):
        score_regions(model, genome, [("chr1", 5, 9)], tiling=Tiling(33, tile=4))
    assert score_regions(model, genome, [("chr1", 500, 509)], tiling=Tiling(33, tile=4))[0].end == 509
