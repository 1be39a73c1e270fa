"""Recipes of a suite: which tasks are taken, one genome for all, files that come from the hub."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from caduceus.conformance.data.fasta_files import fasta_text, random_sequence, write_fasta
from caduceus.conformance.finetune.small_runs import write_recipe
from caduceus.evaluate.catalogue import SUITES, suite
from caduceus.recipes import tuning_files
from caduceus.recipes.__main__ import main
from caduceus.recipes.tuning_data import read_task
from caduceus.recipes.tuning_task import TaskFiles, suite_tasks

pytestmark = pytest.mark.usefixtures("place")


def test_the_tasks_that_are_present_are_those_with_all_their_files(capsys: pytest.CaptureFixture[str]) -> None:
    def taken(*options: str) -> list[str]:
        told = [word for option in options for word in ("--set", option)]
        assert main(["show", "gue", "--resolved", *told]) == 0
        return list(yaml.safe_load(capsys.readouterr().out)["tasks"])

    assert len(taken()) == 28, "where none is there all are asked for, and the error says how to get them"
    for place in ("gue/tf_2/train", "gue/tf_2/dev", "gue/tf_2/test", "gue/EMP/H3/dev", "gue/EMP_H3/test"):
        path = Path(f"{place}.csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert taken() == ["tf_2"]
    assert taken("only=[mouse_0]") == taken("only=mouse_0") == ["mouse_0"]
    assert len(taken("only=null")) == 28
    assert main(["show", "gue", "--set", "only=3"]) == 2
    said = capsys.readouterr().err
    assert "only is 3, expected a list of names of tasks, the name of one, present or null" in said


def test_a_suite_takes_one_genome_for_all_its_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    """Coordinates of two tasks on a genome that has one of their two contigs."""
    write_fasta(Path(), fasta_text({"chr20": random_sequence(2000, 3, "ACGT")}))
    rows = [f"chr{20 + (i == 9)},{100 * i},{100 * i + 60},+" for i in range(12)]
    for task in ("human_enhancers_cohn", "human_nontata_promoters"):
        for split in ("train", "test"):
            folder = Path("gb") / task / split
            folder.mkdir(parents=True)
            for name in ("positive", "negative"):
                (folder / f"{name}.csv").write_text("\n".join(["region,start,end,strand", *rows]) + "\n")
    fields: dict[str, Any] = {"suite": "genomic_benchmarks", "folder": "gb", "tasks": {}}
    write_recipe(**fields, only="present")
    assert main(["check", "tune.yaml"]) == 2
    assert "holds coordinates; give the genome" in capsys.readouterr().err
    write_recipe(**fields, only="present", genome="genome.fa", partial=True)
    assert main(["check", "tune.yaml"]) == 0
    said = capsys.readouterr().out
    for task in ("human_enhancers_cohn", "human_nontata_promoters"):
        assert f"data   {task}: 19, 3, 22 rows" in said
    assert "suite  genomic_benchmarks: 2 tasks; left out: dummy_mouse_enhancers_ensembl, demo_coding" in said


def test_a_suite_on_the_hub_is_brought_from_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def brought(suite: str, task: str, split: str) -> Path:
        path = Path(f"{suite}-{task}-{split}.fna")
        letters = "AAAACG" if split == "train" else "AAACCG"
        records = [f">{i}|{i % 2}\n{random_sequence(60, i, letters)}\n" for i in range(40)]
        path.write_text("".join(records))
        return path

    monkeypatch.setattr(tuning_files, "fetch", brought)
    write_recipe(suite="nucleotide_transformer", folder="hub", only=["H3"], tasks={})
    assert main(["check", "tune.yaml"]) == 0
    assert "data   H3: 36, 4, 40 rows to train, validate and test on" in capsys.readouterr().out


def test_the_resolved_recipe_names_the_classes_of_each_task(capsys: pytest.CaptureFixture[str]) -> None:
    for name in SUITES:
        assert main(["show", name, "--resolved"]) == 0
        tasks = yaml.safe_load(capsys.readouterr().out)["tasks"]
        assert {task: tuple(told["classes"]) for task, told in tasks.items()} == {
            task: known.class_names for task, known in suite(name).tasks.items()
        }


def _regulatory(*names: str) -> dict[str, Any]:
    """A recipe of a task of three classes, in tables with these labels."""
    for split in ("train", "test"):
        rows = [f"{random_sequence(20, i, 'ACGT')},{names[i % len(names)]}" for i in range(60)]
        path = Path(f"gb/human_ensembl_regulatory/{split}.csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(["sequence,label", *rows]) + "\n")
    write_recipe(
        suite="genomic_benchmarks", folder="gb", only="human_ensembl_regulatory", tasks={}, baselines=["kmers"]
    )
    return {"suite": "genomic_benchmarks", "folder": "gb", "only": "human_ensembl_regulatory"}


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (("promoter", "ocr", "enhancer"), "enhancer, ocr, promoter"),
        (("2", "0", "1"), "0, 1, 2"),
        (("promoter", "ocr"), "enhancer, ocr, promoter"),
    ],
)
def test_tables_of_a_suite_hold_its_classes_or_their_numbers(
    labels: tuple[str, ...], classes: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _regulatory(*labels)
    assert main(["check", "tune.yaml"]) == 0
    said = capsys.readouterr().out
    assert f"rows to train, validate and test on; {classes}\n" in said
    assert ("no row of class 'enhancer'" in said) == ("enhancer" not in labels and "0" not in labels)


def test_other_classes_than_those_of_the_suite_are_refused_unless_given(capsys: pytest.CaptureFixture[str]) -> None:
    fields = _regulatory("promoter", "ocr", "silencer")
    assert main(["check", "tune.yaml"]) == 2
    said = capsys.readouterr().err
    assert "has the classes promoter, ocr, silencer, but human_ensembl_regulatory of genomic_benchmarks has" in said
    assert "or give tasks.human_ensembl_regulatory.classes" in said
    told = {"human_ensembl_regulatory": {"classes": ["ocr", "promoter", "silencer"]}}
    write_recipe(**fields, tasks=told, baselines=["kmers"])
    assert main(["check", "tune.yaml"]) == 0
    assert "; ocr, promoter, silencer\n" in capsys.readouterr().out


def test_under_official_the_classes_of_folders_are_in_the_order_that_they_are_listed_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for split, name in product(("train", "test"), ("enhancer", "ocr", "promoter")):
        folder = Path("gb/human_ensembl_regulatory") / split / name
        folder.mkdir(parents=True)
        for i in range(10):
            (folder / f"{i}.txt").write_text(random_sequence(20, i, "ACGT"))
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: iter(sorted(listed(path), reverse=True)))
    for protocol, classes in (
        ("official", ("promoter", "ocr", "enhancer")),
        ("sound", ("enhancer", "ocr", "promoter")),
    ):
        only = ["human_ensembl_regulatory"]
        told = suite_tasks("genomic_benchmarks", "gb", only, {}, protocol, {})["human_ensembl_regulatory"]
        data = read_task(TaskFiles.model_validate(told), protocol, 0)  # type: ignore[arg-type]
        assert (data.train.classes, data.test.labels[0]) == (classes, 0)
