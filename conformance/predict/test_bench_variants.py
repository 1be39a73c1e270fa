"""Scoring variants beside a plain loop over them: the same scores, or no times."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import caduceus
from caduceus.bench.loop import LoopBackend
from caduceus.conformance.predict.conftest import CONTIGS
from caduceus.conformance.predict.models import small
from caduceus.conformance.predict.variant_files import vcf_text, write_variants
from caduceus.recipes.__main__ import main

BASES = CONTIGS["chr1"]
ROWS = [("1", p, BASES[p - 1], "CGTA"["ACGT".index(BASES[p - 1])]) for p in range(20, 2820, 70)]
ROWS[21:21] = [("1", 1401, BASES[1400], "<DEL>"), ("1", 1401, BASES[1400], BASES[1400] + "ACG")]


@pytest.fixture
def bench(folder: Path, genome: Any) -> Any:
    caduceus.save_pretrained(small(), folder / "model", layout="caduceus")
    write_variants(folder, vcf_text(ROWS))

    def run(verb: str, *options: str) -> int:
        given = ("model=model", "fasta=genome.fa", "variants=variants.vcf", "window=33", "radius=4", "neighbours=2")
        sets = [text for option in (*given, "records=42", "rounds=2", *options) for text in ("--set", option)]
        return main([verb, "bench_variants", *sets, *(["--out", "out"] if verb == "run" else [])])

    return run


def test_all_score_the_same_alleles_and_are_set_beside_the_recipes_way(folder: Path, bench: Any, capsys: Any) -> None:
    assert bench("run", "backend=torch") == 0
    results = json.loads((folder / "out" / "results.json").read_text())
    assert (results["alleles"], results["indels"]) == (41, 1)  # a symbolic one is left out
    assert list(results["times"]) == ["torch", *(f"{name}, one by one" for name in ("mamba_loop", "loop", "torch"))]
    assert all(found["calls"] == 2 for found in results["times"].values())
    assert results["ratio"]["torch"] == 1.0
    for name, found in results["times"].items():
        assert results["per_minute"][name] == pytest.approx(60 * 41 / found["median"])
        assert results["ratio"][name] == pytest.approx(found["median"] / results["times"]["torch"]["median"])
    assert all(0 < error < 1e-3 for name, error in results["disagreement"].items() if "loop" in name)
    shown = capsys.readouterr().out
    assert "41 alleles, 1 of them insertions or deletions" in shown
    assert re.search(r"^  loop, one by one +[\d,.]+ a minute", shown, re.MULTILINE)


def test_fewer_records_are_taken_from_the_whole_file(folder: Path, bench: Any) -> None:
    assert bench("run", "records=6", "peers=[torch]", "backend=torch") == 0
    assert json.loads((folder / "out" / "results.json").read_text())["alleles"] == 6


def test_one_that_computes_something_else_is_not_timed(
    bench: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    scan = LoopBackend.selective_scan

    def shifted(*given: Any, **named: Any) -> Any:
        y, state = scan(*given, **named)
        return y + 0.1, state

    monkeypatch.setattr(LoopBackend, "selective_scan", staticmethod(shifted))
    assert bench("run", "backend=torch") != 0
    assert re.search(r"loop, one by one differs by .* not the same scores", capsys.readouterr().err)
    assert not (folder / "out" / "results.json").exists()


def test_check_names_what_would_be_timed(bench: Any, capsys: Any) -> None:
    assert bench("check", "backend=torch", "peers=[loop]") == 0
    assert "time   41 alleles: torch, loop, one by one" in capsys.readouterr().out


def test_a_file_of_which_nothing_can_be_scored_is_refused(folder: Path, bench: Any, capsys: Any) -> None:
    write_variants(folder, vcf_text(ROWS[21:22]))
    assert bench("run") != 0
    assert "can be scored" in capsys.readouterr().err
