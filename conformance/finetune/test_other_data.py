"""A run that continues on other data than it began with is refused; one that was written before is still read."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caduceus.conformance.data.fasta_files import random_sequence
from caduceus.conformance.finetune.small_runs import results, run_folder, write_recipe
from caduceus.recipes import tuning_files
from caduceus.recipes.__main__ import main
from caduceus.recipes.digest import sha256

pytestmark = pytest.mark.usefixtures("place")
TEST = Path("folders/test")


def class_folders() -> None:
    """12 sequences a class to train on, 6 to test on, rich and poor in G and C; a recipe of them."""
    for split, count in (("train", 12), ("test", 6)):
        for name, letters in (("poor", "AAATTTCG"), ("rich", "CCCGGGAT")):
            folder = Path("folders") / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                (folder / f"{i}.txt").write_text(random_sequence(40, i + (50 if split == "test" else 0), letters))
    write_recipe(tasks={"gc": {"train": "folders/train", "test": "folders/test"}}, baselines=["kmers"], seeds=[1])


def swapped() -> None:
    """The classes of the test split exchanged."""
    (TEST / "poor").rename(TEST / "other")
    (TEST / "rich").rename(TEST / "poor")
    (TEST / "other").rename(TEST / "rich")


def begun_again(*arms: str) -> None:
    """As after a kill: no results, and these jobs are not done."""
    (run_folder() / "results.json").unlink()
    for arm in arms:
        shutil.rmtree(run_folder() / "tasks" / "gc" / f"{arm}-1")


def noted(data: dict[str, Any] | None = None) -> dict[str, Any]:
    """The data that the run's environment.json names; replaced by ``data`` where it is given."""
    path = run_folder() / "environment.json"
    held = json.loads(path.read_text())
    if data is not None:
        path.write_text(json.dumps(held | {"data": data}))
    found: dict[str, Any] = held["data"]
    return found


def test_class_folders_are_named_with_all_that_is_in_them() -> None:
    class_folders()
    before = sha256(TEST)
    assert before != sha256(Path("folders/train"))
    (TEST / "poor" / "0.txt").rename(TEST / "poor" / "9.txt")
    renamed = sha256(TEST)
    (TEST / "poor" / "9.txt").rename(TEST / "poor" / "0.txt")
    assert sha256(TEST) == before
    swapped()
    assert len({before, renamed, sha256(TEST)}) == 3


def test_other_class_folders_are_refused_and_the_same_ones_continue(capsys: pytest.CaptureFixture[str]) -> None:
    class_folders()
    assert main(["run", "tune.yaml"]) == 0
    first = results()["tasks"]["gc"]["arms"]["kmers"]["score"]["value"]
    assert noted()["gc.test"] == {"path": "folders/test", "sha256": sha256(TEST)}
    assert main(["run", "tune.yaml"]) == 0, "finished, and shown again"
    time.sleep(0.02)  # clocks of file systems are coarse
    swapped()
    capsys.readouterr()
    assert main(["run", "tune.yaml"]) == 2
    assert "began with another gc.test (its sha256 differs)" in capsys.readouterr().err
    begun_again("model")
    assert main(["run", "tune.yaml"]) == 2
    assert "began with another gc.test (its sha256 differs)" in capsys.readouterr().err
    assert not (run_folder() / "results.json").exists()
    swapped()
    assert main(["run", "tune.yaml"]) == 0
    assert results()["tasks"]["gc"]["arms"]["kmers"]["score"]["value"] == first > 0.5


def test_outcomes_of_other_test_rows_are_refused_though_the_data_have_no_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class_folders()
    assert main(["run", "tune.yaml"]) == 0
    begun_again("model")
    noted({})
    swapped()
    assert main(["run", "tune.yaml"]) == 2
    said = capsys.readouterr().err
    assert "kmers-1/predictions.npz holds what job gc/kmers-1 said of another test split" in said
    assert "expected the 12 rows and 2 classes of folders/test as they are now" in said
    assert "or give another folder by --out" in said
    assert noted() == {}, "what is refused is not noted, so that the files may be put back"


def test_outcomes_that_do_not_say_of_which_rows_they_are_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    class_folders()
    assert main(["run", "tune.yaml"]) == 0
    first = results()["tasks"]["gc"]["arms"]
    for path in run_folder().glob("tasks/gc/*/predictions.npz"):
        with np.load(path) as held:
            kept = {name: held[name] for name in held.files if name != "tested"}
            assert len(str(held["tested"])) == 64
        np.savez(path, **kept)
    begun_again()
    noted({})
    assert main(["run", "tune.yaml"]) == 0
    assert results()["tasks"]["gc"]["arms"] == first
    begun_again()
    noted({})
    (TEST / "poor" / "extra.txt").write_text("ACGTACGTAC")
    assert main(["run", "tune.yaml"]) == 2
    assert "expected the 13 rows and 2 classes of folders/test" in capsys.readouterr().err


def test_files_of_the_hub_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def brought(suite: str, task: str, split: str) -> Path:
        path = Path(f"{split}.fna")
        path.write_text("".join(f">{i}|{i % 2}\n{random_sequence(30, i, 'ACGT')}\n" for i in range(20)))
        return path

    monkeypatch.setattr(tuning_files, "fetch", brought)
    write_recipe(suite="nucleotide_transformer", folder="hub", only="H3", tasks={}, baselines=["kmers"], seeds=[1])
    assert main(["run", "tune.yaml"]) == 0
    assert noted() == {
        f"H3.{split}": {"path": f"{split}.fna", "sha256": sha256(Path(f"{split}.fna"))} for split in ("train", "test")
    }
