"""The page of maps: it holds what the table says, needs no network, and says what it leaves out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caduceus
from caduceus.conformance.predict.conftest import CONTIGS
from caduceus.conformance.predict.models import small
from caduceus.recipes import mutagenesis_report
from caduceus.recipes.__main__ import main
from caduceus.recipes.letters import letters, outline
from caduceus.recipes.loci import Locus
from caduceus.recipes.locus_figure import locus_figure, scales
from caduceus.recipes.locus_panels import information
from caduceus.recipes.mutagenesis_table import Piece, read_pieces

Run = Callable[..., str]


@pytest.fixture
def run(folder: Path, genome: Any) -> Run:
    """``run("loci=chr1:501-509")``: report.html."""
    caduceus.save_pretrained(small(), folder / "model", layout="caduceus")

    def call(*options: str) -> str:
        given = ("model=model", "fasta=genome.fa", "window=33", "backend=torch", "controls.untrained=false", *options)
        assert (
            main(["run", "mutagenesis", *[text for option in given for text in ("--set", option)], "--out", "out"]) == 0
        )
        return Path("out/report.html").read_text()

    return call


class Links(HTMLParser):
    """Every address that a page would load by itself."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]


def test_the_page_stands_alone_and_holds_plotly_once(run: Run) -> None:
    page = run("loci=[chr1:501-520, chr1:1001-1012]")
    assert Links(page).found == []
    assert page.count("plotly.js v") == 1
    assert len(page) < 7_000_000
    assert re.findall(r'id="(locus-\d)"', page) == ["locus-1", "locus-2"]
    assert "<h3>chr1:1,001–1,012</h3>" in page
    assert "in the table and not here" not in page


def test_what_does_not_fit_is_said(run: Run) -> None:
    page = run("loci=[chr1:501-520, chr1:1001-1012, chr1:2001-2002]", "page_bases=31")
    assert re.findall(r'id="(locus-\d)"', page) == ["locus-1"]
    assert "2 further loci are in the table and not here: a page draws 31 bases" in page
    assert "The next is chr1:1001-1012." in page


def test_without_plotly_there_is_a_page_that_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutagenesis_report, "find_spec", lambda name: None)
    page = run("loci=chr1:501-520")
    assert "The figures need plotly" in page
    assert "locus-1" not in page


def test_measured_effects_are_a_panel_and_a_table_of_correlations(folder: Path, run: Run) -> None:
    bases = CONTIGS["chr1"]
    rows = "".join(
        f"chr1,{i + 1},{bases[i]},{alt},{(7 * i + ord(alt)) % 11}\n"
        for i in range(500, 520)
        for alt in "ACGT"
        if alt != bases[i]
    )
    (folder / "m.csv").write_text("chrom,pos,ref,alt,effect\n" + rows)
    page = run("loci=chr1:501-520", "measured.file=m.csv", "measured.field=effect", "measured.resamples=20")
    assert "60 measured effects of single bases" in page
    assert page.count(">transition at a CpG<") == 2  # the picture and the table
    assert "measured effect" in page


def test_a_figure_holds_what_the_table_says(run: Run) -> None:
    run("loci=chr1:501-520")
    (piece,) = read_pieces(Path("out/mutagenesis.tsv"))
    found = locus_figure(piece, scales([piece]))
    heat = next(trace for trace in found.data if trace.type == "heatmap" and "llr" in trace.hovertemplate)
    np.testing.assert_allclose(heat.z, piece.numbers["llr"].T, rtol=1e-6)
    np.testing.assert_allclose(heat.customdata, piece.numbers["probability"].T, rtol=1e-6)
    assert heat.x.tolist() == list(range(501, 521))
    assert heat.text[2][4] == f"ref {CONTIGS['chr1'][504]}, base G"
    assert heat.hovertemplate.startswith("<b>chr1:%{x:,d}</b>")
    assert found.layout.xaxis.range == (500.5, 520.5)
    assert json.loads(found.to_json())["layout"]["yaxis3"]["domain"][0] == 0


def piece_of(probability: list[list[float]], reference: str) -> Piece:
    p = np.array(probability)
    return Piece(Locus("c", 9, 9 + len(p)), 9, reference, {"probability": p, "llr": np.zeros_like(p)}, ("",) * len(p))


def test_the_logo_stacks_letters_by_probability_times_information() -> None:
    piece = piece_of([[0.25] * 4, [0.5, 0.5, 0, 0], [1, 0, 0, 0], [0.7, 0.1, 0.1, 0.1]], "ACGT")
    np.testing.assert_allclose(information(piece)[:3], [0, 1, 2], atol=1e-9)
    figure = locus_figure(piece, scales([piece]))
    green, blue = (next(t for t in figure.data if t.fillcolor == colour) for colour in ("#4f9d69", "#3b82c4"))

    def span(letters: Any, place: int) -> tuple[float, float]:
        y = letters.y[np.abs(letters.x - place) < 0.5]
        return float(np.nanmin(y)), float(np.nanmax(y))

    assert span(green, 11) == pytest.approx((0, 0.5), abs=0.02)
    assert span(blue, 11) == pytest.approx((0.5, 1), abs=0.02)
    assert span(green, 12) == pytest.approx((0, 2), abs=0.04)
    assert span(green, 13)[1] == pytest.approx(information(piece)[3], rel=0.02)
    assert not (np.abs(green.x - 10) < 0.5).any()


@pytest.mark.parametrize("letter", "ACGT")
def test_letters_fill_their_place(letter: str) -> None:
    shape = outline(letter)
    assert np.nanmin(shape, 0).tolist() == pytest.approx([0, 0], abs=0.02)
    assert np.nanmax(shape, 0).tolist() == pytest.approx([1, 1], abs=0.02)
    assert 7 < len(shape) < 32
    x, y = letters(letter, np.array([42_984_160.0, 7.0]), np.array([1.0, 0.0]), np.array([2.0, -3.0]))
    first = x > 1000
    assert np.nanmin(x[first]) > 42_984_159.5
    assert np.nanmax(x[first]) < 42_984_160.5
    assert (np.nanmin(y[first]), np.nanmax(y[first])) == pytest.approx((1, 3), abs=0.05)
    assert (np.nanmin(y[~first]), np.nanmax(y[~first])) == pytest.approx((-3, 0), abs=0.05)
