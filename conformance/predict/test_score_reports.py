"""Pages of scores, tracks and embeddings: they say what the results say, and need no network."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caduceus
from caduceus.conformance.predict.conftest import CONTIGS
from caduceus.conformance.predict.models import small
from caduceus.evaluate import auroc
from caduceus.recipes.__main__ import main
from caduceus.recipes.embed_report import principal
from caduceus.recipes.variant_ranking import EXPECTED, roc
from caduceus.recipes.variant_scoring import Truth


def run(recipe: str, *options: str) -> tuple[str, dict[str, Any]]:
    """The page and the results."""
    caduceus.save_pretrained(small(), "model", layout="caduceus")
    given = ("model=model", "backend=torch", *options)
    assert main(["run", recipe, *[text for option in given for text in ("--set", option)], "--out", "out"]) == 0
    return Path("out/report.html").read_text(), json.loads(Path("out/results.json").read_text())


def write_variants(truth: bool = True) -> None:
    bases = CONTIGS["chr1"]
    rows = [f"1,{p},{bases[p - 1]},{'CGTA'['ACGT'.index(bases[p - 1])]},{p % 3 // 2}" for p in range(100, 1300, 20)]
    rows += ["1,1400,<x>,<DEL>,1", f"1,1500,{'CGTA'['ACGT'.index(bases[1499])]},{bases[1499]},0"]
    Path("v.csv").write_text("\n".join(["chrom,pos,ref,alt,label", *rows]) + "\n")


VARIANTS = ("fasta=genome.fa", "variants=v.csv", "window=33", "radius=4", "most_mismatched=0.1")


@pytest.mark.usefixtures("pictures")
def test_the_page_of_variants_says_what_was_scored_and_how_well(folder: Path, genome: Any) -> None:
    write_variants()
    (folder / "splits.bed").write_text("chr1\t0\t700\ttrain\nchr1\t700\t3000\ttest\n")
    page, results = run("score_variants", *VARIANTS, "truth.field=label", "intervals=splits.bed")
    assert "<b>62</b>records" in page
    assert "<b>60</b>of 62 alternate alleles to be scored" in page
    assert "<td>1</td><td>the alternate allele is symbolic" in page
    assert "<td>1</td><td>the genome has other bases than the reference allele" in page
    assert "1.64% of the references" in page
    assert "Contigs of another name: 1 is chr1" in page
    for group in ("all", "training", "elsewhere"):
        found = results["ranking"][group]["llr"]
        assert f"<td>llr</td><td>{found['value']:.3f}</td><td>{found['low']:.3f} to {found['high']:.3f}</td>" in page
    assert page.count("<svg") == 5  # intervals of three groups, ROC curves, histograms
    assert not re.search(r'(src|href)="http', page)


def test_the_area_under_the_curve_is_the_auroc(folder: Path, genome: Any) -> None:
    write_variants()
    _, results = run("score_variants", *VARIANTS, "truth.field=label")
    curves = roc(Path("out/variants.tsv"), Truth(field="label"))
    assert set(curves) == {name for name, found in results["ranking"]["all"].items() if found["n"]} - {
        "pll",
        "pll_mean",
        "gained",
    }
    for name, (false, true) in curves.items():
        area = float(((false[1:] - false[:-1]) * (true[1:] + true[:-1]) / 2).sum())
        assert area == pytest.approx(results["ranking"]["all"][name]["value"], abs=1e-9), name
        assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert set(curves) <= set(EXPECTED)


def test_a_truth_of_one_kind_or_of_numbers_has_no_curve(folder: Path, genome: Any) -> None:
    write_variants()
    text = (folder / "v.csv").read_text().splitlines()
    (folder / "v.csv").write_text(
        "\n".join([text[0], *(re.sub(r"\d$", f"{i / 7:.2f}", line) for i, line in enumerate(text[1:]))]) + "\n"
    )
    page, results = run("score_variants", *VARIANTS, "truth.field=label")
    assert results["ranking"]["all"]["llr"]["measure"] == "spearman"
    assert roc(Path("out/variants.tsv"), Truth(field="label")) == {}
    assert f"<td>{results['ranking']['all']['llr']['value']:.3f}</td>" in page


def test_many_points_of_a_curve_are_thinned(folder: Path) -> None:
    rng = np.random.default_rng(0)
    truth, score = rng.integers(0, 2, 5000), rng.normal(size=5000)
    names = ["contig", *EXPECTED, "split", "truth"]
    lines = [
        "\t".join(["1", *[repr(s)] * len(EXPECTED), "", str(t)]) for t, s in zip(truth, score.tolist(), strict=True)
    ]
    (folder / "t.tsv").write_text("\n".join(["\t".join(names), *lines]) + "\n")
    false, true = roc(folder / "t.tsv", Truth(field="label"))["distance"]
    assert 200 < len(false) <= 300
    area = ((false[1:] - false[:-1]) * (true[1:] + true[:-1]) / 2).sum()
    assert area == pytest.approx(auroc(truth > 0, score).value, abs=1e-3)


@pytest.mark.usefixtures("pictures")
def test_the_page_of_regions_says_how_the_tracks_are_spread(folder: Path, genome: Any) -> None:
    (folder / "r.bed").write_text("chr1\t90\t150\nchr2\t30\t60\n")
    page, results = run("score_regions", "fasta=genome.fa", "regions=r.bed", "window=33", "tile=50", "every=4")
    assert "<b>90</b>bases" in page
    assert "<b>80</b>of them A, C, G or T" in page
    assert f"<b>{-results['mean']['log_likelihood']:.3f}</b>bits per hidden base" in page
    assert f"Mean: {results['mean']['entropy']:.4f}." in page
    assert page.count("<svg") == 1
    assert not list(folder.glob("out/.*"))


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize("pooling", ["mean", "none"])
def test_the_page_of_embeddings_shows_each_column(folder: Path, genome: Any, pooling: str) -> None:
    (folder / "s.fa").write_text("".join(f">s{i}\n{CONTIGS['chr1'][9 * i : 9 * i + 30]}\n" for i in range(12)))
    layers = "layers=[final, mixer.0]"
    page, results = run("embed", "fasta=s.fa", layers, f"pooling={pooling}", "strands=both")
    assert "<b>12</b>sequences" in page
    assert f"<b>{results['rows']:,}</b>rows" in page
    for name in ("final.forward", "mixer.0.reverse"):
        assert f"<td><code>{name}</code></td><td>8</td>" in page
    assert page.count("<svg") == 1


@pytest.mark.usefixtures("pictures")
def test_two_vectors_make_no_picture(folder: Path) -> None:
    (folder / "s.fa").write_text(">a\nACGT\n>b\nGGG\n")
    page, _ = run("embed", "fasta=s.fa")
    assert "Fewer than three vectors make no picture" in page
    assert "<svg" not in page


def test_without_matplotlib_a_page_says_what_it_needs(folder: Path, genome: Any) -> None:
    (folder / "r.bed").write_text("chr1\t90\t150\n")
    page, _ = run("score_regions", "fasta=genome.fa", "regions=r.bed", "window=33", "tile=50")
    assert "The picture needs matplotlib" in page


def test_principal_components_hold_the_largest_share_of_the_variance() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(200, 6)) * [9, 5, 1, 1, 1, 1]
    places, shares = principal(vectors)
    values = np.sort(np.linalg.eigvalsh(np.cov(vectors.T)))[::-1]
    np.testing.assert_allclose(shares, values[:2] / values.sum(), rtol=1e-9)
    np.testing.assert_allclose(places.var(0, ddof=1), values[:2], rtol=1e-9)
    assert principal(np.zeros((4, 1)))[1].tolist() == [0, 0]
