"""What the tests of predictions share: small models, a small genome, real files, a cache of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from caduceus.conformance.data.fasta_files import fasta_text, random_sequence, write_fasta
from caduceus.conformance.one_thread import one_thread as one_thread
from caduceus.data import Genome
from caduceus.recipes import embed_report, region_report, variant_report

CONTIGS = {
    "chr1": random_sequence(3000, 11, "ACGT"),
    "chr2": "N" * 40 + random_sequence(400, 12, "ACGTacgt") + "NNRN" + random_sequence(100, 13, "ACGT"),
    "chrM": random_sequence(61, 14, "ACGT"),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: empty, with an empty cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CADUCEUS_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture(autouse=True)
def _no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """They take longer than the runs; a test that looks at them asks for ``pictures``."""
    if "pictures" not in request.fixturenames:
        for module in (embed_report, region_report, variant_report):
            monkeypatch.setattr(module, "find_spec", lambda name: None)


@pytest.fixture
def pictures() -> None:
    """Reports are drawn."""


@pytest.fixture
def genome(folder: Path) -> Genome:
    return Genome(write_fasta(folder, fasta_text(CONTIGS)))


@pytest.fixture
def data_folder() -> Path:
    """The folder of real data outside the package, or a skip that says it was not there."""
    found = os.environ.get("CADUCEUS_DATA")
    if not found:
        pytest.skip("not run: no data (CADUCEUS_DATA is not set)")
    return Path(found)
