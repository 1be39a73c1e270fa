"""Runs of embed and of score_regions that are killed again and again end as one that was left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import caduceus
from caduceus.conformance.data.fasta_files import random_sequence
from caduceus.conformance.predict.models import small
from caduceus.recipes import embed_sequences, growing, score_regions
from caduceus.recipes.__main__ import main

# Recipe, format: what it is given besides the model and the genome, and its outputs.
RUNS = {
    "embed": (("fasta=s.fa", "tokens=64"), ("embeddings.parquet",)),
    "embed unpooled": (("fasta=s.fa", "pooling=none", "strands=both"), ("embeddings.parquet",)),
    "score_regions": (
        ("fasta=genome.fa", "regions=r.bed", "window=33", "every=4", "tile=20"),
        ("entropy.bedgraph", "log_likelihood.bedgraph", "ref_prob.bedgraph"),
    ),
    "score_regions bigwig": (
        ("fasta=genome.fa", "regions=r.bed", "window=33", "every=null", "tile=20", "format=bigwig"),
        ("entropy.bw", "log_likelihood.bw", "ref_prob.bw"),
    ),
}
ROWS, BASES, TILES = 5, 60, 2


@pytest.fixture
def run(folder: Path, genome: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], int]:
    """``run("embed", "out")``: the command line in this process, in pieces of a few sequences or tiles; its status."""
    monkeypatch.setattr(embed_sequences, "_ROWS_AT_ONCE", ROWS)
    monkeypatch.setattr(embed_sequences, "_BASES_AT_ONCE", BASES)
    monkeypatch.setattr(score_regions, "_TILES_AT_ONCE", TILES)
    caduceus.save_pretrained(small(), folder / "model", layout="caduceus")
    (folder / "s.fa").write_text("".join(f">s{i}\n{random_sequence(3 + 5 * (i % 5), i)}\n" for i in range(120)))
    (folder / "r.bed").write_text("chr1\t5\t650\nchr2\t30\t300\nchr1\t1000\t1007\n")

    def begin(which: str, out: str) -> int:
        sets = [text for option in ("model=model", *RUNS[which][0], "backend=torch") for text in ("--set", option)]
        return main(["run", which.split()[0], *sets, "--out", out])

    return begin


def outputs(run: Path, which: str) -> dict[str, bytes]:
    return {name: (run / name).read_bytes() for name in RUNS[which][1]}


# Imports once; forks each run, kills it some pieces on, and forks the next; before the last, half a piece is left.
KILLING = """
import json, os, signal, sys, time
from pathlib import Path
import torch
from caduceus.recipes import embed_sequences, score_regions
from caduceus.recipes.__main__ import main

embed_sequences._ROWS_AT_ONCE, embed_sequences._BASES_AT_ONCE, score_regions._TILES_AT_ONCE = {sizes}

def begin(which):
    pid = os.fork()
    if pid == 0:
        torch.set_num_threads(1)
        os._exit(main(["run", f"whole {{which}}/recipe.yaml", "--out", f"parts {{which}}"]))
    return pid

def done(folder):
    journal = folder / "progress.json"
    return json.loads(journal.read_text())["done"] if journal.is_file() else 0

for which, outputs in {outputs}.items():
    folder = Path(f"parts {{which}}")
    for _ in range(3):
        pid, before = begin(which), done(folder)
        while done(folder) < before + 3:
            time.sleep(0.001)
        os.kill(pid, signal.SIGKILL)
        assert os.waitpid(pid, 0)[1] == signal.SIGKILL
        assert not any((folder / name).exists() for name in outputs), "a half-written file has its final name"
    next(folder.glob(".*.growing")).open("ab").write(b"half a piece")
    assert os.waitpid(begin(which), 0)[1] == 0
"""


def test_sigkill_again_and_again_leaves_no_trace(folder: Path, run: Callable[[str, str], int]) -> None:
    for which in RUNS:
        assert run(which, f"whole {which}") == 0
    code = KILLING.format(sizes=(ROWS, BASES, TILES), outputs={which: names for which, (_, names) in RUNS.items()})
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0
    for which in RUNS:
        parts, whole = folder / f"parts {which}", folder / f"whole {which}"
        assert outputs(parts, which) == outputs(whole, which), which
        kept = [*RUNS[which][1], "environment.json", "recipe.yaml", "report.html", "results.json"]
        assert sorted(path.name for path in parts.iterdir()) == sorted(kept)


@pytest.mark.parametrize("which", ["embed", "score_regions"])
def test_a_signal_stops_between_pieces_and_the_same_command_continues(
    folder: Path, run: Callable[[str, str], int], which: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    assert run(which, "whole") == 0
    original = growing.Growing.append
    calls = []

    def interrupt(self: Any, pieces: Any) -> None:
        calls.append(pieces)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        original(self, pieces)

    monkeypatch.setattr(growing.Growing, "append", interrupt)
    capsys.readouterr()
    assert run(which, "parts") == 143
    assert "; the same command continues" in capsys.readouterr().err
    assert not any((folder / "parts" / name).exists() for name in RUNS[which][1])
    assert run(which, "parts") == 0
    assert "continuing " in capsys.readouterr().out
    assert len({piece for each in calls for piece in each.values()}) == len(calls), "a piece was computed twice"
    assert outputs(folder / "parts", which) == outputs(folder / "whole", which)


def test_a_run_of_nothing_but_unknown_bases_ends(folder: Path, run: Callable[[str, str], int]) -> None:
    (folder / "r.bed").write_text("chr2\t0\t40\n")
    assert run("score_regions", "out") == 0
    assert (folder / "out" / "entropy.bedgraph").read_text() == ""
