"""Genomic Benchmarks as they lie on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from caduceus import decode
from caduceus.conformance.data.fasta_files import fasta_text, write_fasta
from caduceus.data import Genome, Table, from_coordinates, labelled, read_class_folder
from caduceus.data.finetuning import LabelledSamples

CHROMOSOME = "AACCGGTTNACGTACCCT"
HEADER = "id,region,start,end,strand\n"


@pytest.fixture
def genome(tmp_path: Path) -> Genome:
    return Genome(write_fasta(tmp_path, fasta_text({"20": CHROMOSOME})))


def test_coordinates_are_cut_on_their_strand(tmp_path: Path, genome: Genome) -> None:
    folder = tmp_path / "task" / "train"
    folder.mkdir(parents=True)
    (folder / "positive.csv").write_text(HEADER + "a,chr20,0,4,+\nb,chr20,14,18,-\n")
    (folder / "negative.csv").write_text(HEADER + "c,20,8,10,.\n")
    data = labelled(read_class_folder(folder, genome))
    assert data.classes == ("negative", "positive")
    assert (list(data.sequences), data.labels.tolist()) == (["NA", "AACC", "AGGG"], [0, 1, 1])


def test_soft_masks_of_the_genome_at_hand_are_no_part_of_the_data(tmp_path: Path) -> None:
    genome = Genome(write_fasta(tmp_path, fasta_text({"20": CHROMOSOME.lower()})))
    places = {"region": ["20", "20"], "start": ["0", "14"], "end": ["4", "18"], "strand": ["+", "-"]}
    table = Table("t.csv", {**places, "label": ["a", "b"]}, np.array([2, 3]))
    data = labelled(from_coordinates(table, genome))
    assert list(data.sequences) == ["AACC", "AGGG"]
    official = LabelledSamples(data, 4, protocol="official")
    assert [decode(sample["input_ids"]) for sample in official] == ["AACC", "AGGG"]
    assert data.notes() == []


def test_class_folders_of_text_files(tmp_path: Path) -> None:
    for name, texts in {"worm": ["ACGT"], "human": ["GG\n", "TT", "CC"]}.items():
        (tmp_path / "test" / name).mkdir(parents=True)
        for i, text in enumerate(texts):
            (tmp_path / "test" / name / f"{8 + i}.txt").write_text(text)
    data = labelled(read_class_folder(tmp_path / "test"))
    assert (list(data.sequences), data.labels.tolist()) == (["GG", "TT", "CC", "ACGT"], [0, 0, 0, 1])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,chr21,0,4,+", r"positive.csv, line 2: genome.fa has no contig 'chr21'"),
        ("a,chr20,0,19,+", r"line 2: 20:0-19 is not a range inside '20', which has 18 bases"),
        ("a,chr20,x,4,+", r"line 2, column start: 'x', expected a whole number"),
        ("a,chr20,0,4,?", r"line 2, column strand: '\?', expected a strand"),
    ],
)
def test_coordinates_that_do_not_fit_are_refused(tmp_path: Path, genome: Genome, row: str, message: str) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "positive.csv").write_text(HEADER + row + "\n")
    with pytest.raises(ValueError, match=message):
        read_class_folder(tmp_path / "train", genome)


def test_rows_on_other_contigs_are_left_out_if_asked(genome: Genome) -> None:
    columns = {"region": ["chr1", "chr20"], "start": ["0", "0"], "end": ["2", "2"], "strand": ["+", "+"]}
    table = Table("t.csv", columns, np.array([2, 3]))
    cut = from_coordinates(table, genome, partial=True)
    assert (list(cut.columns["sequence"]), cut.numbers.tolist()) == (["AA"], [3])
    with pytest.raises(ValueError, match=r"no row on the contigs of genome.fa: 20"):
        from_coordinates(table.take(np.array([0])), genome, partial=True)


def test_folders_without_classes_or_genome_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="one file or one folder a class"):
        read_class_folder(tmp_path / "train")
    (tmp_path / "train").mkdir()
    with pytest.raises(ValueError, match="holds no class"):
        read_class_folder(tmp_path / "train")
    (tmp_path / "train" / "a.csv").write_text(HEADER + "a,chr20,0,4,+\n")
    with pytest.raises(ValueError, match="give the genome"):
        read_class_folder(tmp_path / "train")
