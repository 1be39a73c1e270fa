"""`run evaluate`: bits per masked base of a trained model, as pretraining's own test has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caduceus
from caduceus import parts
from caduceus.conformance.data.fasta_files import fasta_text, random_sequence, write_fasta
from caduceus.conformance.one_thread import one_thread as one_thread
from caduceus.data import Genome, Intervals, MaskedLMData, cut_windows
from caduceus.recipes.__main__ import main

SPEC = parts.Model(
    embedding=parts.Embedding(d_model=8), mixers=[parts.BiMamba(mamba=parts.Mamba(d_state=2))], head=parts.MaskedLM()
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Working directory with a genome, intervals, and a model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CADUCEUS_CACHE", str(tmp_path / "cache"))
    write_fasta(tmp_path, fasta_text({"c": random_sequence(900, 1, "ACGT")}))
    (tmp_path / "splits.bed").write_text("c\t0\t500\ttrain\nc\t500\t900\ttest\n")
    caduceus.save_pretrained(caduceus.build(SPEC, seed=4), tmp_path / "model", layout="caduceus")
    return tmp_path


def run(*options: str) -> int:
    given = ("model=model", "fasta=genome.fa", "intervals=splits.bed", "lengths=[50, 100]", *options)
    return main(["run", "evaluate", "--out", "out", *(word for option in given for word in ("--set", option))])


def by_hand(length: int) -> tuple[float, int]:
    """From the definition, a window at a time."""
    genome = Genome("genome.fa")
    data = MaskedLMData(genome, cut_windows(Intervals.read("splits.bed"), genome, "test", length), seed=0, n_as="pad")
    model: Any = caduceus.load_pretrained("model", backend="torch")
    bits = []
    for i in range(len(data)):
        rows = data.rows([i])
        logits = model(rows["input_ids"]).detach().double().numpy()[0]
        for position, base in enumerate(rows["labels"][0]):
            if 7 <= base <= 10:
                shares = np.exp(logits[position] - logits[position].max())
                bits.append(-np.log2(shares[base] / shares.sum()))
    return float(np.mean(bits)), len(bits)


def test_bits_are_those_of_the_definition(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    results = json.loads((place / "out" / "results.json").read_text())
    for length in (50, 100):
        bits, count = by_hand(length)
        found = results["lengths"][str(length)]
        assert (found["targets"], found["windows"]) == (count, 400 // length)
        assert found["all"] == pytest.approx(bits, rel=1e-5)
    assert results["untrained"]["targets"] == results["lengths"]["50"]["targets"]
    assert results["untrained"]["all"] != results["lengths"]["50"]["all"]
    assert results["equivariance_error"] == 0.0
    shown = capsys.readouterr().out
    assert "equivariance: error exactly 0.0" in shown
    assert f"windows of       100   {results['lengths']['100']['all']:.4f}" in shown


def test_windows_that_do_not_fit_and_models_without_the_head_are_refused(place: Path, capsys: Any) -> None:
    assert run("lengths=[500]") == 2
    assert "500" in capsys.readouterr().err
    bare = parts.Model(embedding=SPEC.embedding, mixers=SPEC.mixers)
    caduceus.save_pretrained(caduceus.build(bare), place / "bare", layout="caduceus")
    assert run("model=bare") == 2
    assert "expected a masked-LM head" in capsys.readouterr().err
    assert not (place / "out").exists()
