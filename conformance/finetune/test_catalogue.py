"""The suites: every task, the numbers that were printed, and files found where they lie."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from caduceus.conformance.data.conftest import data_folder
from caduceus.data import labelled, read_table
from caduceus.evaluate.catalogue import SUITES, fetch, suite

__all__ = ["data_folder"]

# Means over all tasks of a suite, and over the ten histone tasks, computed from the papers' tables by other means.
MEANS = {
    ("genomic_benchmarks", "Caduceus-Ph 470K"): 0.8660,
    ("genomic_benchmarks", "Caduceus-PS 470K"): 0.8690,
    ("genomic_benchmarks", "ConvNova 386K"): 0.8692,
    ("genomic_benchmarks", "JanusDNA with attention 426K"): 0.8684,
    ("nucleotide_transformer", "Caduceus-Ph 1.9M"): 0.7252,
    ("nucleotide_transformer", "Caduceus-PS 1.9M"): 0.6886,
    ("nucleotide_transformer", "ConvNova 1.7M"): 0.7453,
    ("nucleotide_transformer", "JanusDNA with attention 2.0M"): 0.7734,
}


def test_every_task_is_there() -> None:
    assert {name: len(suite(name).tasks) for name in SUITES} == {
        "genomic_benchmarks": 8,
        "nucleotide_transformer": 18,
        "gue": 28,
    }
    assert suite("nucleotide_transformer").task("splice_sites_all").class_names == ("0", "1", "2")
    assert suite("genomic_benchmarks").task("human_ensembl_regulatory").class_names == ("enhancer", "ocr", "promoter")


@pytest.mark.parametrize("which", MEANS, ids=lambda which: which[1])
def test_published_numbers_have_the_means_of_their_tables(which: tuple[str, str]) -> None:
    name, model = which
    scores = [task.published[model][0] for task in suite(name).tasks.values()]
    assert round(sum(scores) / len(scores), 4) == pytest.approx(MEANS[which], abs=1.5e-4)


def test_published_histone_scores_have_the_mean_of_their_table() -> None:
    tasks = suite("nucleotide_transformer").tasks
    scores = [task.published["Caduceus-PS 1.9M"][0] for name, task in tasks.items() if name.startswith("H")]
    assert (len(scores), round(sum(scores) / 10, 4)) == (10, 0.5859)


def test_an_unknown_task_lists_the_names() -> None:
    with pytest.raises(ValueError, match=r"has no task 'H5', expected one of .*H3K9ac"):
        suite("nucleotide_transformer").task("H5")


def test_a_missing_data_set_says_what_to_get_and_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        suite("genomic_benchmarks").find("human_enhancers_cohn", "train", tmp_path)
    message = str(raised.value)
    assert "task human_enhancers_cohn: no train split" in message
    assert "Download it: https://github.com/ML-Bioinfo-CEITEC/genomic_benchmarks" in message
    assert f"Put it there: {tmp_path / 'human_enhancers_cohn' / 'train'}" in message


@pytest.mark.parametrize(
    ("name", "task", "place"),
    [
        ("gue", "EMP_H3", "EMP/H3/dev.csv"),
        ("gue", "prom_prom_300_tata", "prom/prom_300_tata/dev.csv"),
        ("nucleotide_transformer", "enhancers_types", "enhancers_types/dev.fna"),
        ("nucleotide_transformer", "enhancers_types", "enhancers_types/dev.parquet"),
    ],
)
def test_files_are_found_where_their_archives_put_them(tmp_path: Path, name: str, task: str, place: str) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.touch()
    assert suite(name).find(task, "dev", tmp_path) == path


def test_real_files_are_found_and_hold_what_the_catalogue_says(data_folder: Path) -> None:
    for name in ("prom_prom_300_tata", "mouse_0", "mouse_2", "tf_2"):
        task = suite("gue").task(name)
        data = labelled(read_table(suite("gue").find(name, "train", data_folder / "gue")))
        assert (len(data), data.classes) == (task.rows["train"], task.class_names)
        assert int(data.lengths().max()) == task.max_length
    benchmarks = suite("genomic_benchmarks")
    for name in ("human_enhancers_cohn", "human_nontata_promoters"):
        folder = benchmarks.find(name, "train", data_folder / "gb_coordinates")
        assert {path.name.removesuffix(".csv.gz") for path in folder.iterdir()} == set(
            benchmarks.task(name).class_names
        )
    assert benchmarks.find("human_ocr_ensembl", "test", data_folder / "gb_hg19chr20").is_file()


def test_a_split_comes_from_the_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []

    def download(repository: str, path: str, repo_type: str, revision: str | None) -> str:
        asked.append((repository, path, repo_type, revision))
        return str(tmp_path / path)

    hub = SimpleNamespace(
        list_repo_files=lambda repository, repo_type, revision: ["H3/train.fna", "H3/test.fna"],
        hf_hub_download=download,
    )
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)  # type: ignore[arg-type]
    assert fetch("nucleotide_transformer", "H3", "test", revision="abc") == tmp_path / "H3" / "test.fna"
    repository = "InstaDeepAI/nucleotide_transformer_downstream_tasks"
    assert asked == [(repository, "H3/test.fna", "dataset", "abc")]
    with pytest.raises(FileNotFoundError, match=r"holds nothing for H4/train.fna, .*expected one file"):
        fetch("nucleotide_transformer", "H4", "train")


class HttpError(Exception):
    """As httpx raises it: no OSError."""


class Client:
    """A stand-in for huggingface_hub whose repositories hold ``files``; it notes what it is asked for."""

    def __init__(self, files: list[str]) -> None:
        self.files = files
        self.asked: list[tuple[str, ...]] = []

    def list_repo_files(self, repository: str, repo_type: str, revision: str | None) -> list[str]:
        if not self.files:
            raise HttpError("[Errno -2] Name or service not known")
        return self.files

    def hf_hub_download(self, repository: str, path: str, repo_type: str, revision: str | None) -> str:
        self.asked.append((repository, path, repo_type, str(revision)))
        return path


GUE_ON_THE_HUB = (
    *("emp_H3", "emp_H3K14ac", "emp_H3K36me3", "emp_H3K4me1", "emp_H3K4me2", "emp_H3K4me3"),
    *("emp_H3K79me3", "emp_H3K9ac", "emp_H4", "emp_H4ac"),
    *(f"{kind}_{i}" for kind in ("human_tf", "mouse") for i in range(5)),
    *(f"prom_{where}_{which}" for where in ("300", "core") for which in ("all", "notata", "tata")),
    *("splice_reconstructed", "virus_covid"),
)


def test_every_task_of_gue_has_its_folder_on_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client([f"GUE/{name}/{split}.csv" for name in GUE_ON_THE_HUB for split in ("train", "dev", "test")])
    monkeypatch.setitem(sys.modules, "huggingface_hub", client)  # type: ignore[arg-type]
    found = {task: str(fetch("gue", task, "dev")) for task in suite("gue").tasks}
    assert sorted(found.values()) == sorted(f"GUE/{name}/dev.csv" for name in GUE_ON_THE_HUB)
    assert [found[task] for task in ("EMP_H3", "prom_prom_core_tata", "tf_2", "mouse_2", "virus_covid")] == [
        f"GUE/{name}/dev.csv" for name in ("emp_H3", "prom_core_tata", "human_tf_2", "mouse_2", "virus_covid")
    ]
    assert {(repository, revision) for repository, _, _, revision in client.asked} == {("leannmlindsey/GUE", "None")}


def test_genomic_benchmarks_have_a_repository_each_and_their_splits_in_one_piece(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Client(["default/test/0000.parquet", "default/train/0000.parquet", ".gitattributes"])
    monkeypatch.setitem(sys.modules, "huggingface_hub", client)  # type: ignore[arg-type]
    assert fetch("genomic_benchmarks", "demo_human_or_worm", "train") == Path("default/train/0000.parquet")
    repository = "katarinagresova/Genomic_Benchmarks_demo_human_or_worm"
    assert client.asked == [(repository, "default/train/0000.parquet", "dataset", "refs/convert/parquet")]
    client.files.append("default/train/0001.parquet")
    with pytest.raises(FileNotFoundError, match=r"holds default/train/0000.parquet, default/train/0001.parquet for"):
        fetch("genomic_benchmarks", "demo_human_or_worm", "train")


@pytest.mark.parametrize("name", SUITES)
def test_without_a_network_a_suite_says_what_to_do(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", Client([]))  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError) as raised:
        fetch(name, next(iter(suite(name).tasks)), "train")
    message = str(raised.value)
    assert "did not come from the Hugging Face hub: HttpError: [Errno -2] Name or service not known" in message
    assert f"Download it by hand, and give its folder: {suite(name).download}" in message
