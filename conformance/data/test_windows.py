"""Windows: sound ones against their definition, official ones against those that the authors' class cut."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caduceus.conformance.data.fasta_files import fasta_text, write_fasta
from caduceus.data import Genome, Intervals, cut_windows, official_windows, sound_windows

# Two contigs with runs of N, a run of other letters, and lower case.
CONTIGS = {"a": "ACGT" * 5 + "N" * 30 + "acgt" * 10, "b": "NNNNNNNNRYRYRYRY" + "ACGTTGCA" * 3}


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    return Genome(write_fasta(tmp_path_factory.mktemp("genome"), fasta_text(CONTIGS)))


def test_official_windows_are_those_of_the_authors(golden: Callable[[str], Any], tmp_path: Path) -> None:
    recorded = golden("hg38_windows")
    official = Genome(write_fasta(tmp_path, fasta_text(recorded["genome"])))
    rows = Intervals.from_rows(recorded["bed"])
    for name, expected in recorded["windows"].items():
        split, length = name.split("/")
        extent = recorded["max_allowed_length_used_here"]
        windows = official_windows(rows, official, split, int(length), extent=extent)
        found = [[w.contig, w.start, w.end - w.start] for w in windows]
        assert found == expected["chrom_start_length"], name
        assert len(windows) == expected["len"] == len(rows.of(split)) * expected["shifts"]


def test_official_windows_reach_2_to_the_20_and_report_repeats_and_leaks(data_folder: Path) -> None:
    chr20 = Genome(data_folder / "genomes" / "hg19_chr20.fa.gz")
    rows = Intervals.read(data_folder / "derived" / "hg19_chr20.sequences.bed")
    windows = cut_windows(rows, chr20, "train", 131_072, "official")
    assert len(windows) == 360 * 8
    first = rows.of("train").start[0]
    assert [w.start for w in windows][:8] == [first + 131_072 * k for k in range(8)]
    unseen = [(r.start, r.end) for split in ("valid", "test") for r in rows.of(split)]
    leaks = sum(any(w.start < end and start < w.end for start, end in unseen) for w in windows)
    assert windows.report.windows_overlapping == leaks > 0
    assert windows.report.windows_repeated == len(windows) - len(set(windows)) > 0
    with pytest.raises(ValueError, match="divisor of 1048576"):
        cut_windows(rows, chr20, "train", 1000, "official")


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 39)), min_size=1, max_size=5))
def test_letters_of_official_windows_are_counted_once_each(genome: Genome, starts: list[tuple[str, int]]) -> None:
    rows = Intervals.from_rows([(contig, start, start + 1, "test") for contig, start in starts])
    windows = official_windows(rows, genome, "test", 8, extent=32)
    covered = {(w.contig, i) for w in windows for i in range(w.start, w.end)}
    letters = [CONTIGS[contig][i] for contig, i in covered]
    report = windows.report
    assert report.letters_n == letters.count("N")
    assert report.letters_other == sum(letter in "RY" for letter in letters)
    assert report.letters_lower == sum(letter in "acgt" for letter in letters)


@st.composite
def interval_rows(draw: st.DrawFn) -> list[tuple[str, int, int, str]]:
    rows = []
    for split in draw(st.lists(st.sampled_from(["train", "valid", "test"]), min_size=1, max_size=8)):
        contig = draw(st.sampled_from("ab"))
        start = draw(st.integers(0, len(CONTIGS[contig]) - 1))
        rows.append((contig, start, draw(st.integers(start + 1, len(CONTIGS[contig]))), split))
    return rows


def by_definition(rows: list[tuple[str, int, int, str]], split: str, length: int) -> list[tuple[str, int, int]]:
    unseen = {"train": ("valid", "test"), "valid": ("test",), "test": ()}[split]
    held = {(c, i) for c, start, end, s in rows if s in unseen for i in range(start, end)}
    return [
        (contig, at, at + length)
        for contig, start, end, s in rows
        if s == split and not any((contig, i) in held for i in range(start, end))
        for at in range(start, end - length + 1, length)
        if set(CONTIGS[contig][at : at + length].upper()) & set("ACGT")
    ]


@given(interval_rows(), st.sampled_from(["train", "valid", "test"]), st.integers(1, 12))
def test_sound_windows_are_those_of_the_definition(
    genome: Genome, rows: list[tuple[str, int, int, str]], split: str, length: int
) -> None:
    table = Intervals.from_rows(rows)
    expected = by_definition(rows, split, length)
    if not expected:
        with pytest.raises(ValueError, match=r"no intervals of split|no window of"):
            sound_windows(table, genome, split, length)
        return
    windows = sound_windows(table, genome, split, length)
    assert [tuple(w) for w in windows] == expected
    assert [tuple(windows[i]) for i in reversed(range(len(windows)))] == expected[::-1]
    assert windows.report.windows_repeated == len(expected) - len(set(expected))
    assert windows.report.windows_overlapping == 0
    assert [tuple(w) for w in pickle.loads(pickle.dumps(windows))] == expected


def test_the_report_counts_what_was_left_out(genome: Genome) -> None:
    rows = Intervals.from_rows(
        [
            ("a", 0, 90, "train"),  # 9 windows, 3 of N alone
            ("b", 3, 31, "train"),  # 2 windows, one of 5 N and 5 other letters, one with 3 other letters; 8 bases over
            ("b", 31, 34, "train"),  # too short
            ("b", 34, 40, "train"),  # overlaps test by one base
            ("a", 0, 10, "train"),  # repeats the first window
            ("b", 39, 40, "test"),
        ]
    )
    report = sound_windows(rows, genome, "train", 10).report
    assert (report.rows, report.rows_overlapping, report.rows_short) == (5, 1, 1)
    assert (report.windows, report.windows_empty, report.windows_repeated) == (8, 4, 1)
    assert (report.bases_unused, report.letters_n, report.letters_other) == (8 + 3, 30 + 5, 5 + 3)
    assert report.letters_lower == 40
    assert str(report) == (
        "train: 8 windows of 10 bases from 5 intervals; 1 intervals overlap valid or test and are dropped; "
        "1 intervals are shorter than a window; 4 windows hold no A, C, G or T and are skipped; "
        "1 windows repeat an earlier one; 11 bases fill no window; 35 letters are N; "
        "8 letters are none of A, C, G, T, N and read as [UNK]; 40 letters are lower case: repeats"
    )


def test_a_window_longer_than_every_interval_is_an_error_that_says_so(genome: Genome) -> None:
    rows = Intervals.from_rows([("a", 0, 30, "train"), ("a", 40, 50, "train")])
    with pytest.raises(
        ValueError, match=r"no window of 31 bases for train: .*shorter.*longest interval left has 30 bases"
    ):
        sound_windows(rows, genome, "train", 31)


def test_windows_of_n_alone_are_an_error_when_nothing_else_is_left(genome: Genome) -> None:
    with pytest.raises(ValueError, match="2 windows hold no A, C, G or T"):
        sound_windows(Intervals.from_rows([("a", 22, 44, "train")]), genome, "train", 10)


def test_bad_arguments(genome: Genome) -> None:
    rows = Intervals.from_rows([("a", 0, 30, "train")])
    with pytest.raises(ValueError, match='expected "sound" or "official"'):
        cut_windows(rows, genome, "train", 10, "publihsed")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="length is 0"):
        cut_windows(rows, genome, "train", 0)
    with pytest.raises(ValueError, match="expected one of train, valid, test"):
        cut_windows(rows, genome, "dev", 10)
    with pytest.raises(IndexError, match="window 3 of 3"):
        cut_windows(Intervals.from_rows([("a", 50, 80, "train")]), genome, "train", 10)[3]


def test_a_human_chromosome_in_small_memory(data_folder: Path) -> None:
    chr20 = Genome(data_folder / "genomes" / "hg19_chr20.fa.gz")
    whole = Intervals.from_rows([("20", 0, chr20.contigs["20"], "train")])
    windows = sound_windows(whole, chr20, "train", 1024)
    report = windows.report
    cut = chr20.contigs["20"] // 1024
    assert report.windows + report.windows_empty == cut
    assert report.letters_n == chr20.fetch("20", 0, cut * 1024).count("N")
    assert report.letters_n // 1024 > report.windows_empty > 3000
    assert windows[0].start == 58 * 1024  # the first 60,000 letters are N: window 58 holds the first base
    assert len(pickle.dumps(windows)) < 16 * report.windows_empty + 10_000
    assert np.all(np.diff([w.start for w in windows][:10]) == 1024)
