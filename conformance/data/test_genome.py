"""A genome gives the sequence of its file, whatever its packing, layout and index, or says why not."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caduceus.alphabet import tokenize
from caduceus.conformance.data.fasta_files import PACKINGS, fasta_text, random_sequence, write_fasta
from caduceus.data import Genome, ecoli_path, is_base, letter_ids
from caduceus.data.text import BGZF_END

CONTIGS = {"chr1": random_sequence(140_000, 1), "chr2": random_sequence(61, 2), "chrM": random_sequence(600, 3)}

with gzip.open(ecoli_path(), "rt") as bundled:
    ECOLI = "".join(line.strip() for line in bundled if not line.startswith(">"))


def whole(genome: Genome) -> dict[str, str]:
    return {name: genome.fetch(name, 0, length) for name, length in genome.contigs.items()}


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("layout", [{}, {"newline": "\r\n"}, {"width": 61}, {"width": 10**6}])
def test_reads_every_packing_and_layout(tmp_path: Path, packing: str, layout: dict[str, object]) -> None:
    genome = Genome(write_fasta(tmp_path, fasta_text(CONTIGS, **layout), packing))
    assert genome.contigs == {name: len(sequence) for name, sequence in CONTIGS.items()}
    assert whole(genome) == CONTIGS


def test_last_line_may_lack_its_end_and_contigs_may_be_empty(tmp_path: Path) -> None:
    genome = Genome(write_fasta(tmp_path, ">empty\n>one\nACGT\nAC"))
    assert whole(genome) == {"empty": "", "one": "ACGTAC"}


@given(st.data())
def test_windows_of_the_bundled_genome(data: st.DataObject) -> None:
    genome = Genome(ecoli_path())
    ((contig, length),) = genome.contigs.items()
    start = data.draw(st.integers(0, length))
    end = data.draw(st.integers(start, min(length, start + 200_000)))
    window = genome.fetch(contig, start, end)
    assert window == ECOLI[start:end]
    assert genome.fetch_ids(contig, start, end).tolist() == tokenize(window)


@pytest.mark.parametrize("edge", [65_536, 131_072])
def test_windows_that_begin_where_a_full_bgzf_block_begins(tmp_path: Path, edge: int) -> None:
    # One line a contig: base i lies at byte i + 16, so that some start below falls on the edge exactly.
    genome = Genome(write_fasta(tmp_path, fasta_text({"chr1": CONTIGS["chr1"]}, width=10**6), "bgzf"))
    for start in range(edge - 20, edge + 3):
        assert genome.fetch("chr1", start, start + 7) == CONTIGS["chr1"][start : start + 7]


def test_letters_become_the_ids_that_text_becomes() -> None:
    letters = np.arange(256, dtype=np.uint8)
    assert letter_ids(letters).tolist() == [tokenize(chr(i))[0] for i in range(256)]
    assert "".join(chr(i) for i in letters[is_base(letter_ids(letters))]) == "ACGTacgt"


def test_plain_gzip_is_unpacked_once_with_a_message(
    tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_fasta(tmp_path, fasta_text(CONTIGS), "gzip")
    assert whole(Genome(path)) == CONTIGS
    assert "unpacking it once" in caplog.text
    assert str(path) in caplog.text
    unpacked = next(cache.rglob("genome.fa"))
    written = unpacked.stat().st_mtime_ns
    caplog.clear()
    assert whole(Genome(path)) == CONTIGS
    assert not caplog.records
    assert unpacked.stat().st_mtime_ns == written
    assert [item.name for item in tmp_path.iterdir()] == ["genome.fa.gz"]

    write_fasta(tmp_path, fasta_text({"other": "ACGTT"}), "gzip")
    assert whole(Genome(path)) == {"other": "ACGTT"}


@pytest.mark.parametrize("packing", ["plain", "bgzf"])
def test_a_read_only_folder_keeps_its_indices_in_the_cache(tmp_path: Path, cache: Path, packing: str) -> None:
    path = write_fasta(tmp_path, fasta_text(CONTIGS), packing)
    tmp_path.chmod(0o555)
    try:
        assert whole(Genome(path)) == CONTIGS
        assert [item.name for item in tmp_path.iterdir()] == [path.name]
    finally:
        tmp_path.chmod(0o755)
    assert list(cache.rglob("*.fai"))


def test_an_index_is_written_beside_the_file_where_it_can_be(tmp_path: Path, cache: Path) -> None:
    Genome(write_fasta(tmp_path, fasta_text(CONTIGS), "bgzf"))
    assert sorted(item.name for item in tmp_path.iterdir()) == ["genome.fa.gz", "genome.fa.gz.fai", "genome.fa.gz.gzi"]
    assert not list(cache.rglob("*.fai"))


STALE = {
    "a contig grew": fasta_text({**CONTIGS, "chr1": "ACGT" * 30_000}),
    "a contig is gone": fasta_text({"chr1": CONTIGS["chr1"]}),
    "a contig came": fasta_text({**CONTIGS, "chr9": "ACGT"}),
    "a contig has another name": fasta_text({name.upper(): sequence for name, sequence in CONTIGS.items()}),
    "lines are longer": fasta_text(CONTIGS, width=70),
    "lines are shorter": fasta_text(CONTIGS, width=50),
    "lines end otherwise": fasta_text(CONTIGS, newline="\r\n"),
}


@pytest.mark.parametrize("packing", ["plain", "bgzf"])
@pytest.mark.parametrize("change", STALE)
def test_an_index_of_another_file_is_not_used(
    tmp_path: Path, packing: str, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_fasta(tmp_path, fasta_text(CONTIGS), packing)
    Genome(path)
    index = path.with_name(path.name + ".fai")
    old = index.read_text()
    write_fasta(tmp_path, STALE[change], packing)
    os.utime(index)  # its date does not give it away
    (tmp_path / "fresh").mkdir()
    fresh = write_fasta(tmp_path / "fresh", STALE[change], packing)
    assert whole(Genome(path)) == whole(Genome(fresh))
    assert "does not fit" in caplog.text
    assert index.read_text() == old


def test_an_index_that_fits_is_used_whatever_its_date(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_fasta(tmp_path, fasta_text(CONTIGS))
    Genome(path)
    lower = {name: sequence.lower() for name, sequence in CONTIGS.items()}
    write_fasta(tmp_path, fasta_text(lower))
    os.utime(path.with_name("genome.fa.fai"), (0, 0))
    assert whole(Genome(path)) == lower
    assert not caplog.records


def test_a_file_that_changes_under_an_open_genome_is_an_error(tmp_path: Path) -> None:
    path = write_fasta(tmp_path, fasta_text(CONTIGS))
    genome = Genome(path)
    genome.close()
    assert whole(genome) == CONTIGS
    genome.close()
    write_fasta(tmp_path, fasta_text({**CONTIGS, "chr1": "ACGT" * 40_000}))
    with pytest.raises(ValueError, match="changed since it was opened"):
        genome.fetch("chr1", 0, 10)


@pytest.mark.parametrize(
    ("contig", "hint"),
    [
        ("1", "did you mean 'chr1'"),
        ("CHR2", "'chr2'"),
        ("chr1_alt", "'chr1'"),
        ("scaffold_77", "'chr1', 'chr2', 'chrM'"),
    ],
)
def test_a_missing_contig_is_an_error_that_suggests_others(tmp_path: Path, contig: str, hint: str) -> None:
    genome = Genome(write_fasta(tmp_path, fasta_text(CONTIGS)))
    with pytest.raises(ValueError, match=f"no contig '{contig}'.*{hint}"):
        genome.fetch(contig, 0, 1)


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (0, 62), (10, 9), (61, 62)])
def test_a_range_outside_the_contig_is_an_error_with_its_length(tmp_path: Path, start: int, end: int) -> None:
    genome = Genome(write_fasta(tmp_path, fasta_text(CONTIGS)))
    with pytest.raises(ValueError, match=f"chr2:{start}-{end} .* 61 bases"):
        genome.fetch_ids("chr2", start, end)


BROKEN = {
    "uneven lines": (b">a\nACGT\nAC\nACGT\n", "genome.fa", "cannot be indexed.*consistent"),
    "one name twice": (b">a\nACGT\n>a\nACGT\n", "genome.fa", "cannot be indexed.*Duplicate"),
    "not FASTA": (b"chr1\t0\t100\n", "genome.fa", "expected FASTA"),
    "empty": (b"", "genome.fa", "expected FASTA"),
    "zip": (b"PK\x03\x04rest", "genome.fa.zip", "packed with zip"),
    "named as if packed": (b">a\nACGT\n", "genome.fa.gz", "plain text in spite of its name"),
    "gzip cut off": (gzip.compress(fasta_text(CONTIGS).encode())[:-20], "genome.fa.gz", "damaged gzip"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_file_that_cannot_be_read_is_an_error_and_leaves_nothing(tmp_path: Path, cache: Path, fault: str) -> None:
    content, name, message = BROKEN[fault]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        Genome(tmp_path / name)
    left = [item for folder in (tmp_path, cache) for item in folder.rglob("*") if item.is_file()]
    assert {item.name for item in left} <= {name, ".lock"}


def test_bgzf_that_is_cut_off_is_an_error_with_or_without_its_index(tmp_path: Path) -> None:
    path = write_fasta(tmp_path, fasta_text(CONTIGS), "bgzf")
    Genome(path)
    left = path.read_bytes()[:-1000]
    for text, message in ((left, "is cut off: it lacks the block that ends"), (left + BGZF_END, "cannot be indexed")):
        path.write_bytes(text)
        with pytest.raises(ValueError, match=message):
            Genome(path)


def test_bgzf_that_is_damaged_inside_is_an_error_where_it_is_read(tmp_path: Path) -> None:
    path = write_fasta(tmp_path, fasta_text(CONTIGS), "bgzf")
    Genome(path)
    content = bytearray(path.read_bytes())
    second = content.index(b"\x1f\x8b\x08\x04", 1)
    content[second + 2000] ^= 0xFF
    path.write_bytes(bytes(content))
    genome = Genome(path)
    assert genome.fetch("chr1", 0, 100) == CONTIGS["chr1"][:100]
    with pytest.raises(ValueError, match=r"cannot be read at chr1:70000-70100"):
        genome.fetch("chr1", 70_000, 70_100)


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no genome at .*absent\.fa"):
        Genome(tmp_path / "absent.fa")


@pytest.mark.parametrize("name", ["sacCer3.fa.gz", "hg38_chr2_1-2333275.fa.gz", "hg38_chr22_32000000_32300000.fa.gz"])
def test_real_genomes(data_folder: Path, name: str) -> None:
    """Yeast is BGZF in full blocks without an index, chr2 soft-masked with one, chr22 plain gzip."""
    path = data_folder / "genomes" / name
    before = sorted(item.name for item in path.parent.iterdir())
    expected: dict[str, list[str]] = {}
    with gzip.open(path, "rt") as text:
        for line in text:
            if line.startswith(">"):
                lines = expected.setdefault(line[1:].split()[0], [])
            else:
                lines.append(line.strip())
    assert whole(Genome(path)) == {contig: "".join(lines) for contig, lines in expected.items()}
    assert sorted(item.name for item in path.parent.iterdir()) == before
