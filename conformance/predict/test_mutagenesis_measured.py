"""Maps beside measured effects: the right rows are compared, and the numbers are those of a plain computation."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

import caduceus
from caduceus.conformance.predict.conftest import CONTIGS
from caduceus.conformance.predict.models import small
from caduceus.evaluate.intervals import interval
from caduceus.evaluate.metrics import Predictions
from caduceus.recipes.__main__ import main

Run = Callable[..., int]
HEADER = "Chrom\tPos\tRef\tAlt\tTags\tEffect\tElement"


@pytest.fixture
def run(folder: Path, genome: Any) -> Run:
    caduceus.save_pretrained(small(), folder / "model", layout="caduceus")

    def call(out: str, *options: str) -> int:
        fixed = ("model=model", "fasta=genome.fa", "window=33", "backend=torch", "loci=chr1:501-530", "page_bases=0")
        measured = ("measured.file=m.tsv", "measured.field=Effect", "measured.resamples=20")
        sets = [text for option in (*fixed, *measured, *options) for text in ("--set", option)]
        return main(["run", "mutagenesis", *sets, "--out", out])

    return call


def effects(start: int = 500, end: int = 530, shift: int = 0) -> list[list[str]]:
    """Every change of [start, end), with an effect of its own."""
    rng = np.random.default_rng(5)
    bases = CONTIGS["chr1"]
    return [
        ["1", str(i + 1), bases[i + shift], alt, "20", f"{rng.normal():.4f}", "a"]
        for i in range(start, end)
        for alt in "ACGT"
        if alt != bases[i + shift]
    ]


def write(rows: list[list[str]]) -> None:
    Path("m.tsv").write_text("\n".join([HEADER, *("\t".join(row) for row in rows)]) + "\n")


def rows_of(out: str) -> list[dict[str, str]]:
    with Path(out, "mutagenesis.tsv").open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_agreement_is_the_rank_correlation_of_what_was_measured(folder: Path, run: Run) -> None:
    rows = effects()
    chosen = [*rows, ["1", "505", rows[12][2], "-", "20", "1", "a"], [*rows[0][:4], "3", "9", "a"]]
    elsewhere = [["1", "900", CONTIGS["chr1"][899], "ACGT".replace(CONTIGS["chr1"][899], "")[0], "20", "2", "a"]]
    write([*chosen, *elsewhere, *([*row[:6], "b"] for row in rows)])
    (folder / "genes.bed").write_text("chr1\t490\t600\tg\t0\t+\n")
    (folder / "splits.bed").write_text("chr1\t0\t510\ttrain\nchr1\t510\t3000\ttest\n")
    more = ("controls.genes=genes.bed", "intervals=splits.bed")
    assert run("out", "measured.where.Element=a", "measured.least.Tags=10", *more) == 0
    found = json.loads(Path("out/results.json").read_text())["measured"]
    assert found["alleles"] == {"rows": 92, "compared": 90, "not_dna": 1, "not_in_a_locus": 1}
    told = {(row["position"], row["base"]): row for row in rows_of("out")}
    table = [told[row[1], row[3]] for row in rows]
    effect = np.array([float(row[5]) for row in rows])
    assert [float(row["measured"]) for row in table] == effect.tolist()
    group = found["groups"]["all"]
    assert (group["rows"], group["positions"], group["in_training"]) == (90, 30, 30)
    for name, sign in {"llr": -1, "untrained_llr": -1, "trinucleotide": -1, "cpg": -1, "tss_distance": -1}.items():
        score = sign * np.array([float(row[name]) for row in table])
        for measure, truth in {"magnitude": np.abs(effect), "direction": -effect}.items():
            value = group[measure][name]["value"]
            assert value == pytest.approx(scipy.stats.spearmanr(truth, score).statistic)
            assert group[measure][name]["low"] < value < group[measure][name]["high"]
    change = [float(row["gradient"]) - float(told[row["position"], row["ref"]]["gradient"]) for row in table]
    assert group["direction"]["gradient"]["value"] == pytest.approx(scipy.stats.spearmanr(effect, change).statistic)
    assert group["magnitude"]["copied_llr"]["value"] == 0
    lead = group["magnitude"]["cpg"]["gain"]["value"]
    assert lead == pytest.approx(group["magnitude"]["llr"]["value"] - group["magnitude"]["cpg"]["value"])
    assert [found["groups"][name]["rows"] for name in ("training", "elsewhere")] == [30, 60]


def test_the_changes_of_a_base_are_drawn_together() -> None:
    """Thrice the same rows tell no more than once: drawn by their groups, the interval does not shrink."""
    rng = np.random.default_rng(2)
    truth = rng.normal(size=(60, 1))
    output = truth + rng.normal(size=(60, 1))
    once = Predictions(truth, output, "regression")
    thrice = Predictions(np.repeat(truth, 3, 0), np.repeat(output, 3, 0), "regression")
    places = np.repeat(np.arange(60), 3)
    alone = interval("spearman", once, resamples=200)
    together = interval("spearman", thrice, resamples=200, groups=places)
    apart = interval("spearman", thrice, resamples=200)
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high), abs=0.02)
    assert apart.high - apart.low < 0.75 * (alone.high - alone.low)


REFUSED: dict[str, tuple[list[list[str]], tuple[str, ...], str]] = {
    "another reference": (effects(shift=1), (), "have another reference than genome.fa"),
    "no such column": (effects(), ("measured.field=Coefficient",), "has no column Coefficient; it has Chrom, Pos"),
    "no such column to choose by": (effects(), ("measured.where.Elemnt=a",), "has no column Elemnt; it has Chrom"),
    "no row of that element": (effects(), ("measured.where.Element=HNF4A",), "Element = HNF4A; it holds a"),
    "too few of everything": (effects(), ("measured.least.Tags=21",), "no row has\n  Tags of at least 21"),
    "a change twice": ([*effects(), *effects()], (), "is measured twice; take one of them by measured.where"),
    "nothing in the locus": (effects(700, 720), (), "has no effect of a single base in the loci"),
    "no row": ([], (), "holds no variants"),
    "no file": (effects(), ("measured.file=nowhere.tsv",), "measured.file: nowhere.tsv"),
}


@pytest.mark.parametrize("which", REFUSED)
def test_effects_that_do_not_fit_are_refused_before_anything_is_written(
    folder: Path, run: Run, capsys: Any, which: str
) -> None:
    rows, options, message = REFUSED[which]
    write(rows)
    assert run("out", *options) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_the_hnf4a_recipe_reads_its_real_files(folder: Path, data_folder: Path, capsys: Any) -> None:
    caduceus.save_pretrained(small(), folder / "model", layout="caduceus")
    assert main(["check", "hnf4a", "--set", "model=model", "--set", "backend=torch"]) == 0
    said = capsys.readouterr().out
    assert "1 locus of 285 bases, each base read in 1,025" in said
    assert "measured: 931 rows, 854 compared, 77 not_dna" in said  # a reference that is not the genome's would be said
