"""Interval files are read as written, or refused with the line and the reason."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caduceus.conformance.data.fasta_files import fasta_text, write_fasta
from caduceus.data import Genome, Intervals

GOOD = "#a comment\nchrom\tstart\tend\tsplit\n\nchr1\t0\t50\ttrain\ttoo much\r\ntrack name=x\nchr2 10 20 test\n"


def bed(folder: Path, text: str) -> Path:
    path = folder / "rows.bed"
    path.write_text(text)
    return path


def test_reads_rows_between_comments_headers_and_blank_lines(tmp_path: Path) -> None:
    rows = list(Intervals.read(bed(tmp_path, GOOD)))
    assert rows == [("chr1", 0, 50, "train", 4), ("chr2", 10, 20, "test", 6)]


def test_reads_gzip(tmp_path: Path) -> None:
    packed = tmp_path / "rows.bed.gz"
    packed.write_bytes(gzip.compress(GOOD.encode()))
    assert list(Intervals.read(packed)) == list(Intervals.read(bed(tmp_path, GOOD)))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("chr1\t0\t50", "line 2: 3 fields, expected contig, start, end, split"),
        ("chr1\t-5\t50\ttrain", "line 2: start is '-5', expected a whole number"),
        ("chr1\t0\t5e3\ttrain", "line 2: end is '5e3', expected a whole number"),
        ("chr1\t50\t50\ttrain", "line 2: start 50 is not before end 50"),
        ("chr1\t0\t50\tvalidation", "line 2: split is 'validation'.*did you mean 'valid'"),
    ],
)
def test_a_line_it_cannot_understand(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Intervals.read(bed(tmp_path, f"chr1\t0\t50\ttrain\n{line}\n"))


def test_many_bad_lines_are_shown_a_few_at_a_time(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"(?s)line 1:.*line 5:.*and 7 more"):
        Intervals.read(bed(tmp_path, "chr1 x y train\n" * 12))


@pytest.mark.parametrize("text", ["", "#only a comment\n"])
def test_a_file_without_rows(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="has no intervals"):
        Intervals.read(bed(tmp_path, text))


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no intervals at"):
        Intervals.read(tmp_path / "absent.bed")


def test_rows_outside_the_genome_are_named_by_line(tmp_path: Path) -> None:
    genome = Genome(write_fasta(tmp_path, fasta_text({"chr1": "A" * 100})))
    rows = Intervals.read(bed(tmp_path, "chr1 0 100 train\nchr1 50 101 train\n1 0 10 test\n1 10 20 test\n"))
    with pytest.raises(
        ValueError, match=r"(?s)rows.bed:.*line 2: chr1:50-101 .* 100 bases.*no contig '1'.*'chr1'.* \(2 of 4 intervals"
    ) as info:
        rows.check(genome)
    assert str(info.value).count("no contig") == 1
    with pytest.raises(ValueError, match="no contig '1'"):
        rows.of("test").check(genome)
    rows.take(np.array([0])).check(genome)


def test_an_empty_split_is_an_error_that_says_what_there_is() -> None:
    rows = Intervals.from_rows([("a", 0, 5, "train"), ("a", 5, 9, "train")])
    with pytest.raises(ValueError, match="no intervals of split 'valid'; it has: train 2"):
        rows.of("valid")
    with pytest.raises(ValueError, match="expected one of train, valid, test"):
        rows.of("dev")


def test_of_genome_cuts_each_contig_in_three(tmp_path: Path) -> None:
    genome = Genome(write_fasta(tmp_path, fasta_text({"a": "A" * 200, "b": "C" * 100})))
    assert [row[:4] for row in Intervals.of_genome(genome, valid=0.1, test=0.2)] == [
        ("a", 0, 140, "train"), ("a", 140, 160, "valid"), ("a", 160, 200, "test"),
        ("b", 0, 70, "train"), ("b", 70, 80, "valid"), ("b", 80, 100, "test"),
    ]  # fmt: skip
    assert Intervals.of_genome(genome, valid=0).counts() == {"train": 2, "test": 2}


ROWS = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 30), st.integers(1, 8), st.sampled_from(["train", "test"])).map(
        lambda r: (r[0], r[1], r[1] + r[2], r[3])
    ),
    min_size=1,
    max_size=12,
)


@given(ROWS)
def test_overlap_is_sharing_a_base(rows: list[tuple[str, int, int, str]]) -> None:
    table = Intervals.from_rows(rows)
    mine, others = table.take(table.split == 0), table.take(table.split == 2)
    expected = [
        any(r.contig == o.contig and set(range(r.start, r.end)) & set(range(o.start, o.end)) for o in others)
        for r in mine
    ]
    assert mine.overlapping(others).tolist() == expected


def test_reads_the_intervals_of_real_genomes(data_folder: Path) -> None:
    rows = Intervals.read(data_folder / "derived" / "hg19_chr20.sequences.bed")
    assert rows.counts() == {"train": 360, "valid": 45, "test": 44}
    assert np.all(rows.end - rows.start == 131_072)
    rows.check(Genome(data_folder / "genomes" / "hg19_chr20.fa.gz"))
    yeast = Intervals.read(data_folder / "derived" / "sacCer3.sequences.bed")
    assert yeast.counts() == {"train": 71, "valid": 8, "test": 7}
    yeast.check(Genome(data_folder / "genomes" / "sacCer3.fa.gz"))
    with pytest.raises(ValueError, match="no contig 'chrI'"):
        yeast.check(Genome(data_folder / "genomes" / "hg19_chr20.fa.gz"))
