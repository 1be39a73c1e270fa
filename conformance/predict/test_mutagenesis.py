"""The recipe of maps: its table is the function's, whatever stops it, and the same on either strand."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caduceus
from caduceus import parts
from caduceus.conformance.data.fasta_files import fasta_text, write_fasta
from caduceus.conformance.predict.conftest import CONTIGS
from caduceus.conformance.predict.models import small
from caduceus.data import Genome
from caduceus.predict import mutagenesis, score_variants
from caduceus.predict.scoring import Scoring
from caduceus.recipes import mutagenesis_work as working
from caduceus.recipes.__main__ import main
from caduceus.recipes.loci import Locus
from caduceus.symmetry import reverse_complement

Run = Callable[..., int]
LOCI = ("loci=[chr1:501-520, '1:1,001-1,030']", "page_bases=0")
CHUNK = 8


@pytest.fixture
def run(folder: Path, genome: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run("out", "loci=chr1:1-9")``: the command line in this process; its exit status."""
    monkeypatch.setattr(working, "CHUNK", CHUNK)
    caduceus.save_pretrained(small(), folder / "model", layout="caduceus")

    def call(out: str, *options: str, verb: str = "run") -> int:
        given = ("model=model", "fasta=genome.fa", "window=33", "backend=torch", *options)
        sets = [text for option in given for text in ("--set", option)]
        return main([verb, "mutagenesis", *sets, *(("--out", out) if verb == "run" else ())])

    return call


def rows_of(folder: str) -> list[dict[str, str]]:
    with Path(folder, "mutagenesis.tsv").open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def column(rows: list[dict[str, str]], name: str) -> np.ndarray:
    return np.array([float(row[name] or "nan") for row in rows]).reshape(-1, 4)


def test_the_table_is_what_the_function_gives(genome: Genome, run: Run) -> None:
    assert run("out", *LOCI) == 0
    rows = rows_of("out")
    assert [row["base"] for row in rows] == list("ACGT") * 50
    at = 0
    for name, start, end in (("chr1:501-520", 500, 520), ("chr1:1001-1030", 1000, 1030)):
        found = mutagenesis(small(), genome, ("chr1", start, end), window=33)
        here = rows[at : at + 4 * (end - start)]
        at += len(here)
        assert {row["locus"] for row in here} == {name}
        assert [int(row["position"]) for row in here[::4]] == list(range(start + 1, end + 1))
        assert "".join(row["ref"] for row in here[::4]) == CONTIGS["chr1"][start:end]
        for key in ("llr", "probability", "gradient"):
            np.testing.assert_allclose(column(here, key), getattr(found, key), rtol=1e-4, atol=1e-5)
    changes = [row for row in rows if row["ref"] != row["base"]]
    same = [row for row in rows if row["ref"] == row["base"]]
    assert {row["llr"] for row in same} == {"0"}
    assert not any(row["trinucleotide"] or row["cpg"] for row in same)
    scored = [("chr1", int(row["position"]), row["ref"], row["base"]) for row in changes[:9]]
    fresh = caduceus.build(small().spec, backend="torch", seed=0)
    control = score_variants(fresh, genome, scored, scoring=Scoring(33, None, None))
    np.testing.assert_allclose(
        [float(row["untrained_llr"]) for row in changes[:9]], control["llr"], rtol=1e-4, atol=1e-6
    )
    assert all(row["trinucleotide"] and row["cpg"] in "01" for row in changes)


@pytest.mark.parametrize("equivariance", ["ps", "ph"])
def test_the_table_of_the_reverse_complement_is_the_table_turned_round(
    folder: Path, run: Run, equivariance: str
) -> None:
    caduceus.save_pretrained(small(equivariance), "model", layout="caduceus")
    turned = {name: reverse_complement(sequence) for name, sequence in CONTIGS.items()}
    write_fasta(folder, fasta_text(turned), name="turned")
    assert run("here", "loci=chr1:501-531", "tokens=33", "page_bases=0") == 0
    assert run("there", "loci=chr1:2470-2500", "tokens=33", "page_bases=0", "fasta=turned.fa") == 0
    mirrored = [
        {
            **row,
            "position": str(3001 - int(row["position"])),
            "locus": "chr1:501-531",
            "ref": reverse_complement(row["ref"]),
            "base": reverse_complement(row["base"]),
        }
        for row in reversed(rows_of("there"))
    ]
    assert mirrored == rows_of("here")
    assert len({row["gradient"] for row in mirrored}) > 100


def test_a_signal_stops_between_chunks_and_the_same_command_continues(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    assert run("whole", *LOCI) == 0
    original, calls = working.Work.piece, []

    def interrupt(self: Any, chunk: Any) -> Any:
        calls.append(chunk.end - chunk.start)
        if len(calls) == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, chunk)

    monkeypatch.setattr(working.Work, "piece", interrupt)
    capsys.readouterr()
    assert run("parts", *LOCI) == 143
    assert "stopped after 28 of 50 bases; the same command continues" in capsys.readouterr().err
    assert not list((folder / "parts").glob("mutagenesis*"))
    assert not (folder / "parts" / "report.html").exists()
    assert run("parts", *LOCI) == 0
    assert "continuing with chr1:1001-1030" in capsys.readouterr().out
    assert sum(calls) == 50
    assert Path("parts/mutagenesis.tsv").read_bytes() == Path("whole/mutagenesis.tsv").read_bytes()
    assert not list((folder / "parts").glob(".*"))


# Imports once, then forks a run, kills it two chunks on, and forks the next; before the last, half a line is left.
KILLING = """
import json, os, signal, sys, time
from pathlib import Path
import torch
from caduceus.recipes import mutagenesis_work as working
from caduceus.recipes.__main__ import main

working.CHUNK = 8
journal, part = Path("parts/progress.json"), Path("parts/.mutagenesis.tsv.growing")

def begin():
    pid = os.fork()
    if pid == 0:
        torch.set_num_threads(1)
        os._exit(main(["run", "whole/recipe.yaml", "--out", "parts"]))
    return pid

def done():
    return json.loads(journal.read_text())["done"] if journal.is_file() else 0

for _ in range(3):
    pid, before = begin(), done()
    while done() < before + 2:
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    assert not {"mutagenesis.tsv", "report.html", "results.json"} & set(os.listdir("parts")), "half written"
part.open("ab").write(b"half a li")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(begin(), 0)[1]))
"""


def test_sigkill_three_times_loses_and_repeats_nothing(folder: Path, run: Run) -> None:
    assert run("whole", "loci=chr1:501-600", "page_bases=0", "controls.untrained=false") == 0
    assert subprocess.run([sys.executable, "-c", KILLING], stdout=subprocess.DEVNULL, check=False).returncode == 0
    assert Path("parts/mutagenesis.tsv").read_bytes() == Path("whole/mutagenesis.tsv").read_bytes()
    assert len(rows_of("parts")) == 400


def test_a_locus_may_come_from_a_file_and_counts_once(folder: Path, run: Run) -> None:
    (folder / "r.bed").write_text("# loci\nchr1\t500\t503\tname\t0\t-\nchrM\t20\t24\n")
    assert run("out", "loci=chr1:501-503", "regions=r.bed", "gradient=false", "controls.untrained=false") == 0
    rows = rows_of("out")
    assert list(dict.fromkeys(row["locus"] for row in rows)) == ["chr1:501-503", "chrM:21-24"]
    assert {row["gradient"] + row["untrained_llr"] for row in rows} == {""}
    results = json.loads(Path("out/results.json").read_text())
    assert [(locus["locus"], locus["bases"]) for locus in results["loci"]] == [("chr1:501-503", 3), ("chrM:21-24", 4)]
    p = column(rows, "probability")
    true = ["ACGT".index(row["ref"]) for row in rows[::4]]
    bits = -np.log2(p[np.arange(7), true])
    assert results["loci"][0]["bits_per_base"] == pytest.approx(bits[:3].mean(), rel=1e-4)


REFUSED = {
    "no locus": ((), "has no loci; give --set loci=chr20:42984160-42984444"),
    "a locus in other words": (("loci=chr1",), "locus 'chr1': expected contig:start-end, counted from 1"),
    "a locus from 0": (("loci=chr1:0-9",), "start is 0 and end 9, expected 1 or more"),
    "a locus backwards": (("loci=chr1:9-8",), "start is 9 and end 8"),
    "a locus outside": (("loci=chr1:2990-3001",), "locus chr1:2990-3001 is not inside 'chr1', which has 3,000 bases"),
    "an unknown contig": (("loci=chr7:1-9",), "has no contig 'chr7'"),
    "N in a locus": (("loci=chr2:31-60",), "holds 10 letters other than A, C, G, T, the first N at chr2:31"),
    "N in the flank": (("loci=chr2:50-60",), "nearer than 16 to an N or to the contig's end"),
    "the end of a contig": (("loci=chr1:5-9",), "leave it out (gradient: false), or give a smaller window"),
    "an empty BED": (("regions=empty.bed",), "empty.bed has no regions"),
    "a BED of another genome": (("regions=other.bed",), "other.bed: line 1: genome.fa has no contig '2L'"),
    "no such BED": (("regions=nowhere.bed",), "regions: nowhere.bed"),
    "no such model": (("loci=chr1:501-509", "model=nowhere"), "model: nowhere; a folder"),
    "a model that predicts no base": (("loci=chr1:501-509", "model=headless"), "expected a masked-LM head"),
    "an even window": (("loci=chr1:501-509", "window=32"), "window is 32, expected an odd number"),
    "several": (("loci=[chr1:0-9, chr7:1-9]",), "has no contig 'chr7'"),
}


@pytest.mark.parametrize("which", REFUSED)
def test_what_cannot_be_done_is_refused_before_anything_is_written(
    folder: Path, run: Run, capsys: Any, which: str
) -> None:
    options, message = REFUSED[which]
    (folder / "empty.bed").write_text("# none\n")
    (folder / "other.bed").write_text("2L\t1\t9\n")
    headless = caduceus.build(parts.Model(embedding=parts.Embedding(d_model=8), mixers=[parts.BiMamba()]))
    caduceus.save_pretrained(headless, folder / "headless", layout="caduceus")
    assert run("out", *options) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_checking_writes_nothing(folder: Path, run: Run, capsys: Any) -> None:
    before = sorted(folder.rglob("*"))
    assert run("", *LOCI, verb="check") == 0
    assert "2 loci of 50 bases, each base read in 33" in capsys.readouterr().out
    assert sorted(folder.rglob("*")) == before


def test_a_locus_is_written_as_browsers_write_it() -> None:
    assert str(Locus("chr1", 500, 520)) == "chr1:501-520"
