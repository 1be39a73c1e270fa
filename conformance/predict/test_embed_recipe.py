"""The embed recipe: Parquet files that hold what the function gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest

import caduceus
from caduceus.conformance.data.fasta_files import random_sequence
from caduceus.conformance.predict.conftest import CONTIGS
from caduceus.conformance.predict.models import small
from caduceus.conformance.uninstalled import uninstall
from caduceus.data import table_sequences
from caduceus.predict import embed
from caduceus.recipes import embed_sequences
from caduceus.recipes.__main__ import main
from caduceus.symmetry import reverse_complement

SEQUENCES = {f"s{i}": random_sequence(9 + i % 4, i, "ACGTN") for i in range(30)}


def run(out: str, *options: str) -> int:
    caduceus.save_pretrained(small(), "model", layout="caduceus")
    sets = [text for option in ("model=model", *options) for text in ("--set", option)]
    return main(["run", "embed", *sets, "--out", out])


def column(table: Any, name: str) -> np.ndarray:
    return np.array(table[name].to_pylist(), dtype=np.float32)


def test_a_fasta_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed_sequences, "_ROWS_AT_ONCE", 7)
    (folder / "s.fa").write_text("".join(f">{name}\n{text}\n" for name, text in SEQUENCES.items()))
    assert run("out", "fasta=s.fa", "layers=[final, residual.0]", "strands=both", "tokens=64") == 0
    table = pyarrow.parquet.read_table("out/embeddings.parquet")
    assert table.column_names == ["name", "final.forward", "final.reverse", "residual.0.forward", "residual.0.reverse"]
    assert table["name"].to_pylist() == list(SEQUENCES)
    expected = embed(small(), SEQUENCES.values(), layers=["final", "residual.0"], strands="both")
    for layer, both in expected.items():
        for i, strand in enumerate(("forward", "reverse")):
            np.testing.assert_allclose(column(table, f"{layer}.{strand}"), both[:, i], rtol=1e-4, atol=1e-5)
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "embeddings.parquet",
        "environment.json",
        "recipe.yaml",
        "report.html",
        "results.json",
    ]


def test_regions_and_a_table(folder: Path, genome: Any) -> None:
    (folder / "r.bed").write_text("1\t5\t30\nchr2\t50\t80\texon 1\t0\t-\n")
    assert run("regions", "fasta=genome.fa", "regions=r.bed") == 0
    table = pyarrow.parquet.read_table("regions/embeddings.parquet")
    assert table["name"].to_pylist() == ["chr1:5-30", "chr2:50-80(-)"]
    expected = embed(small(), [CONTIGS["chr1"][5:30], reverse_complement(CONTIGS["chr2"][50:80])])["final"]
    np.testing.assert_allclose(column(table, "final"), expected, rtol=1e-4, atol=1e-5)
    (folder / "s.csv").write_text("label,dna\n1,ACGTT\n0,GG\n")
    assert run("unpooled", "table=s.csv", "column=dna", "pooling=none") == 0
    table = pyarrow.parquet.read_table("unpooled/embeddings.parquet")
    assert table["name"].to_pylist() == ["1"] * 5 + ["2"] * 2
    assert table["position"].to_pylist() == [0, 1, 2, 3, 4, 0, 1]
    expected = np.concatenate(embed(small(), ["ACGTT", "GG"], pooling="none")["final"])
    np.testing.assert_allclose(column(table, "final"), expected, rtol=1e-4, atol=1e-5)


def test_a_field_of_a_table_may_be_longer_than_csv_allows(folder: Path) -> None:
    long = random_sequence(140_000, 3, "ACGT")
    (folder / "s.csv").write_text(f"name,sequence\na,{long}\n")
    assert [(name, len(sequence)) for name, sequence in table_sequences("s.csv")] == [("a", 140_000)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "fasta: not given"),
        (("table=s.csv", "fasta=s.fa"), "give a table, or a fasta with or without regions, not both"),
        (("table=s.csv",), "s.csv has no column 'sequence'; it has label, dna"),
        (("table=s.csv", "column=dna"), "row 2 has no dna"),
        (("table=s.csv", "column=dna", "layers=[residual.7]"), "no layer 'residual.7'"),
        (("table=s.csv", "layers=[final, final]"), "expected each once"),
        (("table=s.csv", "pooling=median"), "pooling"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(
    folder: Path, capsys: Any, options: tuple[str, ...], message: str
) -> None:
    (folder / "s.csv").write_text("label,dna\n1,ACGTT\n0,\n")
    assert run("out", *options) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_a_missing_package_is_named_before_any_work(folder: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    uninstall(monkeypatch, "pyarrow")
    (folder / "s.csv").write_text("sequence\nACGT\n")
    assert run("out", "table=s.csv") == 2
    assert "pip install 'caduceus[predict]'" in capsys.readouterr().err
    assert not (folder / "out").exists()
