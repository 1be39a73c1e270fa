"""A genome read from several processes and threads at once gives each what it asked for."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import tracemalloc
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from caduceus.alphabet import tokenize
from caduceus.conformance.data.fasta_files import fasta_text, random_sequence, write_fasta
from caduceus.data import Genome, Intervals, MaskedLMData, sample_windows, sound_windows

SEQUENCE = random_sequence(400_000, 5)
METHODS = [m for m in ("fork", "spawn", "forkserver") if m in multiprocessing.get_all_start_methods()]
# From 3.12 on Python warns of a fork beside threads: here that is what a data loader does too.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@pytest.fixture(params=["plain", "bgzf"])
def genome(request: pytest.FixtureRequest, tmp_path: Path) -> Genome:
    return Genome(write_fasta(tmp_path, fasta_text({"chr1": SEQUENCE}), request.param))


def read_at_once(genome: Genome, executor: Executor, windows: int) -> None:
    """Others read while this process reads; every window must be right."""
    starts = np.random.default_rng(0).integers(0, len(SEQUENCE) - 2000, windows).tolist()
    pending = [executor.submit(genome.fetch, "chr1", start, start + 2000) for start in starts]
    for start in starts:
        assert genome.fetch("chr1", start, start + 2000) == SEQUENCE[start : start + 2000]
    wrong = [s for s, job in zip(starts, pending, strict=True) if job.result(60) != SEQUENCE[s : s + 2000]]
    assert wrong == []


@pytest.mark.parametrize("method", METHODS)
def test_processes_of_every_start_method(genome: Genome, method: str) -> None:
    genome.fetch("chr1", 0, 100_000)  # a handle is open, and somewhere in the file, when the others start
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context(method)) as executor:
        read_at_once(genome, executor, 300)


def test_billions_of_bases_in_small_memory(tmp_path: Path) -> None:
    """A contig whose end lies past 2^32 bytes, most of it a hole in the file: windows there, by two processes."""
    length, known = 5_000_000_000, len(SEQUENCE)
    path = tmp_path / "large.fa"
    with path.open("wb") as file:
        file.write(b">chr1\n")
        file.seek(length - known, 1)
        file.write(SEQUENCE.encode() + b"\n")
    (tmp_path / "large.fa.fai").write_text(f"chr1\t{length}\t6\t{length}\t{length + 1}\n")
    tracemalloc.start()
    genome = Genome(path)
    rows = Intervals.from_rows([("chr1", length - known, length, "train")])
    data = MaskedLMData(genome, sound_windows(rows, genome, "train", 1000), rate=0.0, n_as="n")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(data) == known // 1000
    assert peak < 20_000_000
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        samples = list(executor.map(data.rows, [[3, 399], [17, 0]]))
    for numbers, rows_read in zip(([3, 399], [17, 0]), samples, strict=True):
        for number, ids in zip(numbers, rows_read["input_ids"], strict=True):
            start = int(sample_windows(np.array([number]), len(data), 0)[0]) * 1000
            assert ids.tolist() == tokenize(SEQUENCE[start : start + 1000])


def test_threads(genome: Genome) -> None:
    with ThreadPoolExecutor(4) as executor:
        read_at_once(genome, executor, 400)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="not run: this system does not fork")
def test_a_forked_process_does_not_move_the_handle_of_its_parent(genome: Genome) -> None:
    """The fault behind wrong windows, without the luck: parent and child would share one place in the file."""
    genome.fetch("chr1", 0, 10)
    handle = genome._opened[1]._faidx.file.fileno()
    before = os.lseek(handle, 0, os.SEEK_CUR)
    child = multiprocessing.get_context("fork").Process(target=genome.fetch, args=("chr1", 300_000, 390_000))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert os.lseek(handle, 0, os.SEEK_CUR) == before


def test_a_pickle_holds_no_handle_and_reads_the_same(genome: Genome) -> None:
    copy = pickle.loads(pickle.dumps(genome))
    assert copy._opened[1] is None
    assert copy.contigs == genome.contigs
    assert copy.fetch("chr1", 1000, 3000) == SEQUENCE[1000:3000]
