"""Recipes of a suite: which tasks are taken, one genome for all, files that come from the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from caduceus.conformance.data.fasta_files import fasta_text, random_sequence, write_fasta
from caduceus.conformance.finetune.small_runs import write_recipe
from caduceus.recipes import tuning_data
from caduceus.recipes.__main__ import main

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
    assert taken("only=[mouse_0]") == ["mouse_0"]
    assert len(taken("only=null")) == 28


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

    monkeypatch.setattr(tuning_data, "fetch", brought)
    write_recipe(suite="nucleotide_transformer", folder="hub", only=["H3"], tasks={})
    assert main(["check", "tune.yaml"]) == 0
    assert "data   H3: 36, 4, 40 rows to train, validate and test on" in capsys.readouterr().out
