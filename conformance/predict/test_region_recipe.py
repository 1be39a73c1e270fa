"""The recipe of regions: files that hold what the function gives, in the order of the genome."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyBigWig
import pytest

import caduceus
from caduceus.conformance.predict.models import small
from caduceus.data import Genome
from caduceus.predict import Tiling, score_regions
from caduceus.recipes.__main__ import main

MERGED = [("chr1", 90, 150), ("chr2", 30, 60)]


def run(out: str, *options: str) -> int:
    caduceus.save_pretrained(small(), "model", layout="caduceus")
    given = ("model=model", "fasta=genome.fa", "regions=r.bed", "window=33", "every=4", "tile=50")
    sets = [text for option in (*given, *options) for text in ("--set", option)]
    return main(["run", "score_regions", *sets, "--out", out])


@pytest.mark.parametrize("kind", ["bedgraph", "bigwig"])
def test_tracks_hold_what_the_function_gives(folder: Path, genome: Genome, kind: str) -> None:
    (folder / "r.bed").write_text("chr2\t30\t60\n1\t120\t150\n1\t90\t130\tname\t0\t-\n")
    assert run("out", f"format={kind}") == 0
    expected = score_regions(small(), genome, MERGED, tiling=Tiling(33, every=4, tile=50))
    for name in ("entropy", "ref_prob", "log_likelihood"):
        found = {}
        if kind == "bedgraph":
            for line in (folder / "out" / f"{name}.bedgraph").read_text().splitlines():
                contig, start, _, value = line.split("\t")
                found[contig, int(start)] = float(value)
        else:
            track = pyBigWig.open(f"out/{name}.bw")
            assert track.chroms() == genome.contigs
            for contig in ("chr1", "chr2"):
                found |= {(contig, start): value for start, _, value in track.intervals(contig)}
        wanted = {
            (piece.contig, piece.start + i): value
            for piece in expected
            for i, value in enumerate(piece.tracks[name].tolist())
            if not np.isnan(value)
        }
        assert list(found) == list(wanted)
        assert list(found.values()) == pytest.approx(list(wanted.values()), rel=1e-4, abs=1e-5)


def test_of_nothing_but_n_there_is_no_mean(folder: Path, genome: Genome, capsys: Any) -> None:
    first = genome.fetch("chr2", 0, genome.contigs["chr2"]).index("N")
    (folder / "r.bed").write_text(f"chr2\t{first}\t{first + 1}\n")
    assert run("out") == 0
    assert "1 bases; none of them A, C, G or T, so that there is nothing to score" in capsys.readouterr().out
    results = json.loads((folder / "out" / "results.json").read_text())
    assert (results["known"], set(results["mean"].values())) == (0, {None})
    assert "bits of entropy" not in (folder / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("chr1\t2990\t3010\n", (), "r.bed: line 1: chr1:2990-3010 is not a range inside 'chr1'"),
        ("# none\n", (), "has no regions"),
        ("chr1\t1\t9\n", ("window=32",), "window is 32, expected an odd number"),
        ("chr1\t1\t9\n", ("every=1",), "every"),
        ("chr1\t1\t9\n", ("format=wig",), "format"),
        ("chr1\t1\t9\n", ("regions=nowhere.bed",), "regions: nowhere.bed"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(
    folder: Path, genome: Genome, capsys: Any, text: str, options: tuple[str, ...], message: str
) -> None:
    (folder / "r.bed").write_text(text)
    assert run("out", *options) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "out").exists()
