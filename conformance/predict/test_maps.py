"""Maps of loci: what the scores of variants say, gradients that differences confirm, the same on either strand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.alphabet import BASES
from caduceus.conformance.data.fasta_files import fasta_text, write_fasta
from caduceus.conformance.predict.conftest import CONTIGS
from caduceus.conformance.predict.models import small
from caduceus.data import Genome
from caduceus.predict import OneHot, Scoring, mutagenesis, score_variants
from caduceus.symmetry import reverse_complement

LOCUS = ("chr1", 500, 520)


def test_a_map_holds_the_scores_of_its_variants(genome: Genome) -> None:
    found = mutagenesis(small(), genome, LOCUS, window=33)
    assert found.reference == CONTIGS["chr1"][500:520]
    rows = [("chr1", 501 + i, ref, alt) for i, ref in enumerate(found.reference) for alt in "ACGT" if alt != ref]
    table = score_variants(small(), genome, rows, scoring=Scoring(window=33, radius=None))
    of_map = [found.llr[row[1] - 501, "ACGT".index(row[3])] for row in rows]
    np.testing.assert_allclose(of_map, table["llr"], atol=1e-5)
    np.testing.assert_allclose(found.probability.sum(1), 1)
    true = np.array(["ACGT".index(base) for base in found.reference])
    assert (found.llr[np.arange(20), true] == 0).all()


@pytest.mark.parametrize("equivariance", ["ps", "ph"])
def test_the_map_of_the_reverse_complement_is_the_reverse_complement_of_the_map(
    folder: Path, genome: Genome, equivariance: str
) -> None:
    turned = fasta_text({name: reverse_complement(sequence) for name, sequence in CONTIGS.items()})
    there = Genome(write_fasta(folder, turned, name="reverse"))
    model = small(equivariance)
    one = mutagenesis(model, genome, LOCUS, window=33, tokens=1)
    other = mutagenesis(model, there, ("chr1", 3000 - 520, 3000 - 500), window=33, tokens=1)
    assert other.reference == reverse_complement(one.reference)
    assert one.llr.tobytes() == np.ascontiguousarray(other.llr[::-1, ::-1]).tobytes()
    assert one.probability.tobytes() == np.ascontiguousarray(other.probability[::-1, ::-1]).tobytes()
    assert one.gradient.tobytes() == np.ascontiguousarray(other.gradient[::-1, ::-1]).tobytes()
    assert np.abs(one.gradient).max() > 1e-2


@pytest.mark.parametrize("equivariance", ["ps", "ph"])
def test_the_gradient_is_what_differences_say(genome: Genome, equivariance: str) -> None:
    narrow = small(equivariance)
    model = caduceus.build(narrow.spec, weights=narrow.weights(), dtype="float64", backend="torch").eval()
    found = mutagenesis(model, genome, LOCUS, window=17)
    ids, _ = caduceus.encode(CONTIGS["chr1"][492:528])
    true = torch.from_numpy(ids[0]) - 7

    def likelihood(x: torch.Tensor) -> float:
        with torch.no_grad():
            log_p = OneHot(model)(x)[0, 8:28, list(BASES)].log_softmax(-1)
        return float(log_p.gather(1, true[8:28, None]).sum())

    x = torch.nn.functional.one_hot(true, 4).mT[None].double()
    for position, base in ((8, 0), (15, 3), (27, 2)):
        step = torch.zeros_like(x)
        step[0, base, position] = 1e-5
        slope = (likelihood(x + step) - likelihood(x - step)) / 2e-5
        assert found.gradient[position - 8, base] == pytest.approx(slope, rel=1e-5, abs=1e-9)


def test_one_hot_is_the_model(genome: Genome) -> None:
    ids, _ = caduceus.encode(CONTIGS["chr1"][:40])
    x = torch.nn.functional.one_hot(torch.from_numpy(ids) - 7, 4).mT.float()
    for model in (small("ps"), small("ph")):
        adapter = OneHot(model)
        with torch.no_grad():
            torch.testing.assert_close(adapter(x), adapter.model(ids))
            assert adapter.model(ids).std() > 0.01
    with pytest.raises(ValueError, match=r"x has shape \(1, 40, 4\), expected \(B, 4, L\)"):
        adapter(x.mT)


def test_a_contig_has_two_names(genome: Genome) -> None:
    found, other = (mutagenesis(small(), genome, (name, 500, 504), window=33) for name in ("chr1", "1"))
    assert other.contig == "chr1"
    assert other.llr.tobytes() == found.llr.tobytes()


def test_loci_that_cannot_be(genome: Genome) -> None:
    with pytest.raises(ValueError, match="chr1:2990-3001 is not a range inside"):
        mutagenesis(small(), genome, ("chr1", 2990, 3001))
    with pytest.raises(ValueError, match="chr1:7-7 is empty"):
        mutagenesis(small(), genome, ("chr1", 7, 7))
    with pytest.raises(ValueError, match=r"leave it out \(gradient: false\)"):
        mutagenesis(small(), genome, ("chr1", 0, 9), window=33)
    edge = mutagenesis(small(), genome, ("chr2", 438, 446), window=33, gradient=False)
    assert edge.gradient is None
    known = [base in "ACGT" for base in edge.reference]
    assert (~np.isnan(edge.llr[:, 0])).tolist() == known
    with pytest.raises(ValueError, match="expected a masked-LM head"):
        mutagenesis(caduceus.build(parts.Model(embedding=parts.Embedding(d_model=8), mixers=[])), genome, LOCUS)
