"""The benchmarks' own files: counts, lengths, class order, repeats, and coordinates against sequences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from Bio.Seq import reverse_complement

from caduceus import encode
from caduceus.alphabet import N
from caduceus.conformance.data.conftest import data_folder
from caduceus.data import Genome, find_repeats, from_coordinates, labelled, read_class_folder, read_table
from caduceus.evaluate.catalogue import suite

__all__ = ["data_folder"]

HG19 = ("chrom", "hg19_start", "hg19_end", "strand")
# Task: rows and counts by class of train and test, and the shortest and longest sequence of both.
CHR20 = {
    "human_enhancers_cohn": ([170, 278], [51, 90], (500, 500)),
    "human_enhancers_ensembl": ([1219, 1892], [305, 442], (2, 571)),
    "human_ensembl_regulatory": ([1901, 1625, 1973], [449, 422, 502], (86, 802)),
    "human_nontata_promoters": ([7, 381], [2, 126], (251, 251)),
    "human_ocr_ensembl": ([1368, 1625], [382, 422], (86, 593)),
}
# Task: rows of train, dev and test; length; rows of test and of dev that are in train.
GUE = {
    "prom_prom_300_tata": ((4904, 613, 613), 300, (6, 14)),
    "mouse_0": ((6478, 810, 810), 101, (0, 0)),
    "mouse_2": ((2620, 328, 328), 101, (0, 0)),
    "tf_2": ((19000, 1000, 1000), 101, (0, 19)),
}


@pytest.mark.parametrize("task", CHR20)
def test_coordinates_and_sequences_of_chr20_are_the_same(data_folder: Path, task: str) -> None:
    genome = Genome(data_folder / "genomes" / "hg19_chr20.fa.gz")
    train_counts, test_counts, lengths = CHR20[task]
    found = []
    for split, counts in (("train", train_counts), ("test", test_counts)):
        table = read_table(data_folder / "gb_hg19chr20" / f"{task}.{split}.csv.gz")
        data = labelled(table, label="class")
        assert list(from_coordinates(table, genome, HG19).columns["sequence"]) == list(data.sequences)
        # The file's own ids are those of the class names in alphabetical order.
        assert [str(label) for label in data.labels] == list(table.columns["label"])
        assert list(data.counts().values()) == counts
        found.append(data.lengths())
    both = np.concatenate(found)
    assert (both.min(), both.max()) == lengths


def test_the_official_coordinates_on_chr20_are_the_rows_of_its_table(data_folder: Path) -> None:
    """Coordinates of hg38, whose chr20 is not here: the rows, their strands and their classes are compared."""
    folder = data_folder / "gb_coordinates" / "human_nontata_promoters" / "train"
    rows = {
        (row[0], int(row[1]), int(row[2]), row[3], name)
        for name in ("negative", "positive")
        for row in zip(
            *(read_table(folder / f"{name}.csv.gz").columns[c] for c in ("region", "start", "end", "strand")),
            strict=True,
        )
    }
    lifted = read_table(data_folder / "gb_hg19chr20" / "human_nontata_promoters.train.csv.gz").columns
    columns = ("chrom", "hg38_start", "hg38_end", "strand", "class")
    for contig, start, end, strand, name in zip(*(lifted[c] for c in columns), strict=True):
        assert (contig, int(start), int(end), strand, name) in rows


def test_official_coordinates_are_cut_from_the_part_of_a_genome_that_is_here(data_folder: Path) -> None:
    """hg38 chr2 begins with what is here; its rows were cut out before by someone else."""
    genome = Genome(data_folder / "genomes" / "hg38_chr2_1-2333275.fa.gz")
    table = read_table(data_folder / "gb_hg38chr2_0-2333275" / "human_enhancers_cohn.train.csv")
    cut = from_coordinates(table, genome, ("chrom", "hg38_start", "hg38_end", "strand"))
    assert [s.upper() for s in cut.columns["sequence"]] == [s.upper() for s in table.columns["sequence"]]
    folder = data_folder / "gb_coordinates" / "human_enhancers_cohn" / "train"
    with pytest.raises(ValueError, match=r"no contig 'chr\d+'"):
        read_class_folder(folder, genome)


def test_the_official_test_file_loads_whole(data_folder: Path) -> None:
    data = labelled(read_table(data_folder / "gb_official_test" / "human_nontata_promoters.test.csv.gz"))
    assert (len(data), data.counts(), set(data.lengths().tolist())) == (9034, {"0": 4119, "1": 4915}, {251})
    ids, mask = encode(data.sequences)
    assert (int((ids == N).sum()), bool(mask.all())) == (1, True)
    assert data.notes() == []


@pytest.mark.parametrize("task", GUE)
def test_gue_splits_and_their_repeats(data_folder: Path, task: str) -> None:
    rows, length, repeats = GUE[task]
    splits = {split: labelled(read_table(data_folder / "gue" / task / f"{split}.csv.gz")) for split in _SPLITS}
    assert tuple(len(data) for data in splits.values()) == rows
    assert all(data.classes == ("0", "1") and set(data.lengths()) == {length} for data in splits.values())
    train = splits["train"].sequences
    test, dev = (find_repeats(splits[split].sequences, train).counts() for split in ("test", "dev"))
    assert (test["exact"], dev["exact"], test["reverse"], dev["reverse"]) == (*repeats, 0, 0)
    planted = [*splits["test"].sequences, reverse_complement(train[5])]
    assert find_repeats(planted, train).counts() == {**test, "reverse": 1, "of": rows[2] + 1}


@pytest.mark.parametrize("task", ["EMP_H3", "EMP_H3K9ac"])
def test_gue_tasks_whose_training_split_is_not_here_have_the_length_and_test_rows_of_the_catalogue(
    data_folder: Path, task: str
) -> None:
    for split in ("dev", "test"):
        data = labelled(read_table(data_folder / "gue" / task / f"{split}.csv.gz"))
        assert data.classes == suite("gue").task(task).class_names
        assert int(data.lengths().max()) == suite("gue").task(task).max_length
        assert split == "dev" or len(data) == suite("gue").task(task).rows["test"]


_SPLITS = ("train", "dev", "test")
