"""The long-range recipe from files to results: PS and Ph, sound and official; continued, refused, and on ClinVar."""

from __future__ import annotations

import csv
import json
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from caduceus.conformance.predict.vep_files import CONTIGS, HEADER, from_clinvar, planted, write_planted
from caduceus.recipes import vep_results, vep_work
from caduceus.recipes.__main__ import main
from caduceus.recipes.find import find
from caduceus.recipes.load import load
from caduceus.recipes.vep_arms import Arms
from caduceus.recipes.vep_eqtl import VepEqtl
from caduceus.recipes.vep_work import Work

Run = Callable[..., int]
GIVEN = (
    *("model=model", "fasta=genome.fa", "variants=eqtl.csv", "length=32", "radius=2", "backend=torch", "tokens=512"),
    *("rows=48", "seeds=[1, 2]", "c=[1, 10]", "resamples=6", "validation=0.3"),
)
CONTROLS = ("effect", "copied", "reference", "untrained", "composition", "distance", "tissue")


def options(*more: str) -> list[str]:
    return [text for option in (*GIVEN, *more) for text in ("--set", option)]


def run(out: str, *more: str) -> int:
    return main(["run", "vep_eqtl", *options(*more), "--out", out])


def results(out: str) -> dict[str, Any]:
    return json.loads((Path(out) / "results.json").read_text())


def timeless(out: str) -> dict[str, Any]:
    return {name: value for name, value in results(out).items() if name not in ("seconds", "per_minute")}


@pytest.mark.parametrize("equivariance", ["ps", "ph"])
@pytest.mark.parametrize("protocol", ["sound", "official"])
def test_planted_effects_are_found_and_controls_stand_beside(
    folder: Path, capsys: Any, equivariance: str, protocol: str
) -> None:
    write_planted(folder, equivariance=equivariance)
    assert run("out", f"protocol={protocol}", "resamples=40") == 0
    found = results("out")
    assert found["protocol"] == protocol
    assert found["alleles"] == 160
    valid = 0 if protocol == "official" else 40
    assert found["rows"] == {"train": 120 - valid, "valid": valid, "test": 40}
    assert list(found["buckets"]) == ["0 to 30 kb", "30 to 100 kb", "100 kb and more", "all distances"]
    counts = [bucket["rows"]["test"] for bucket in found["buckets"].values()]
    assert counts == ([24, 16, 16, 40] if protocol == "official" else [16, 8, 16, 40])
    for bucket in found["buckets"].values():
        arms = bucket["arms"]
        assert tuple(arms) == ("model", *CONTROLS)
        copied = arms["copied"]["auroc"]
        assert (copied["value"], copied["low"], copied["high"]) == (0.5, 0.5, 0.5)
        for name in CONTROLS:
            gain = arms["model"]["auroc"]["value"] - arms[name]["auroc"]["value"]
            assert arms[name]["gain"]["value"] == pytest.approx(gain)
        assert arms["model"]["auroc"]["low"] <= arms["model"]["auroc"]["value"] <= arms["model"]["auroc"]["high"]
    whole = found["buckets"]["all distances"]["arms"]
    assert whole["effect"]["auroc"]["value"] > 0.75
    assert whole["effect"]["auroc"]["value"] > whole["tissue"]["auroc"]["value"] + 0.2
    assert len(whole["model"]["seeds"]) == 2
    assert np.load("out/embeddings.npy").shape == (160, 2, 2, 8)
    said = capsys.readouterr().out
    assert "[copied]        AUROC 0.500 (0.500 to 0.500)   model better by" in said
    assert "AUROC 0.586  Caduceus-PS 7.7M, chromosomes 9 and 10  (not comparable; " in said
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        *("embeddings.npy", "embeddings_untrained.npy", "environment.json", "recipe.yaml", "results.json")
    ]


@pytest.mark.parametrize("equivariance", ["ps", "ph"])
@pytest.mark.parametrize("protocol", ["sound", "official"])
def test_arms_are_what_they_say(folder: Path, equivariance: str, protocol: str) -> None:
    write_planted(folder, equivariance=equivariance)
    recipe = load(find("vep_eqtl"), [*GIVEN, f"protocol={protocol}"])
    assert isinstance(recipe, VepEqtl)
    work = Work(recipe, recipe.files())
    embedded = {name: np.random.default_rng(i).normal(size=(160, 2, 2, 8)) for i, name in enumerate(work.outputs)}
    arms = Arms(work, embedded).by_name()
    rows = np.array([3, 150, 4])
    tissues = [work.snps.tissues[i] for i in rows]
    if protocol == "official":
        told = [[("Liver", "Lung", "Whole_Blood").index(tissue)] for tissue in tissues]
    else:
        told = [[float(tissue == each) for each in ("Liver", "Lung", "Whole_Blood")] for tissue in tissues]
    assert arms["tissue"](rows, True).tolist() == told
    for training in (True, False):
        forward_only = (protocol, equivariance, training) == ("official", "ph", True)
        for name, file in (("model", "embeddings.npy"), ("untrained", "embeddings_untrained.npy")):
            both = embedded[file][rows]
            both = both[:, :, 0] if forward_only else both.mean(2)
            np.testing.assert_allclose(arms[name](rows, training)[:, : -len(told[0])], both.reshape(3, 16))
            assert arms[name](rows, training)[:, -len(told[0]) :].tolist() == told
            if name == "model":
                np.testing.assert_allclose(arms["effect"](rows, training), both[:, 1] - both[:, 0])
                reference = arms["reference"](rows, training)
                np.testing.assert_allclose(reference[:, :16], both[:, [0, 0]].reshape(3, 16))
        assert (arms["copied"](rows, training) == 0).all()
    np.testing.assert_allclose(arms["distance"](rows, True)[:, 0], np.log1p(work.distance[rows]))
    assert work.distance.min() == 5, "a distance has no sign"
    assert arms["composition"](rows, True).shape == (3, 2)


def test_a_variant_in_several_tissues_is_embedded_once(folder: Path) -> None:
    rows = planted()
    write_planted(folder, [*rows, *(row.replace("Liver", "Lung") for row in rows if "Liver" in row)])
    assert run("out") == 0
    found = results("out")
    assert found["alleles"] == 160
    assert sum(found["rows"].values()) == 160 + 56


def test_a_stopped_run_goes_on_and_ends_as_one_that_was_left_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(vep_work, "per_chunk", lambda length: 12)
    write_planted(folder)
    assert run("whole") == 0
    embedded: list[int] = []
    original = vep_work.AlleleFeatures.__call__

    def interrupt(self: Any, alleles: Sequence[Any]) -> np.ndarray:
        embedded.append(len(alleles))
        if len(embedded) == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, alleles)

    monkeypatch.setattr(vep_work.AlleleFeatures, "__call__", interrupt)
    capsys.readouterr()
    assert run("parts") == 143
    assert "stopped after 36 of 160 variants; the same command continues" in capsys.readouterr().err
    assert not list((folder / "parts").glob("*.npy"))
    with (folder / "parts" / ".embeddings.npy.growing").open("ab") as file:
        file.write(b"half a chunk")
    assert run("parts") == 0
    assert "continuing from variant 37" in capsys.readouterr().out
    assert sum(embedded) == 2 * 160
    for name in ("embeddings.npy", "embeddings_untrained.npy"):
        assert (folder / "parts" / name).read_bytes() == (folder / "whole" / name).read_bytes()
    assert timeless("parts") == timeless("whole")


def test_a_run_stopped_while_the_svms_train_does_nothing_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_planted(folder)
    assert run("whole") == 0
    trained: list[str] = []
    original = vep_results.told

    def interrupt(recipe: Any, arm: Any, bucket: Any, labels: Any) -> Any:
        if len(trained) == 10:
            trained.append("stop")
            os.kill(os.getpid(), signal.SIGTERM)
        trained.append(bucket.name)
        return original(recipe, arm, bucket, labels)

    monkeypatch.setattr(vep_results, "told", interrupt)
    assert run("parts") == 143
    assert not (folder / "parts" / "results.json").exists()
    monkeypatch.setattr(vep_work.AlleleFeatures, "__call__", None)
    assert run("parts") == 0
    assert trained.count("0 to 30 kb") == 8
    assert trained.count("30 to 100 kb") == 8 + 2
    assert timeless("parts") == timeless("whole")
    assert [path.name for path in (folder / "parts").iterdir() if path.name.startswith(("bucket", "progress"))] == []


def test_tsv_and_parquet_are_the_same_as_csv_and_a_split_may_be_given(folder: Path) -> None:
    write_planted(folder)
    with (folder / "eqtl.csv").open() as file:
        rows = list(csv.DictReader(file))
    kinds = {"position": int, "label": int, "distance_to_nearest_tss": float}
    split = {"chr9": "test", "chr3": "validation"}
    for row in rows:
        row["split"] = split.get(row["chromosome"], "train")
    next(row for row in rows if row["split"] == "validation")["tissue"] = "Skin"
    columns = {name: [kinds.get(name, str)(row[name]) for row in rows] for name in rows[0]}
    pyarrow.parquet.write_table(pyarrow.table(columns), "eqtl.parquet")
    names = {"chromosome": "CHROM", "position": "POS", "ref": "REF", "alt": "ALT"}
    lines = ["\t".join(names.get(name, name) for name in rows[0]), *("\t".join(row.values()) for row in rows)]
    (folder / "eqtl.tsv").write_text("\n".join(lines) + "\n")
    for name in ("parquet", "tsv"):
        assert run(name, f"variants=eqtl.{name}", "controls.untrained=false") == 0
    assert timeless("parquet") == timeless("tsv")
    assert results("tsv")["rows"] == {"train": 80, "valid": 40, "test": 40}
    assert run("official", "variants=eqtl.tsv", "controls.untrained=false", "protocol=official") == 0
    assert results("official")["rows"] == {"train": 80, "valid": 0, "test": 40}
    assert results("official")["not_scored"] == {"no_split": 40}


def test_rows_that_cannot_be_scored_are_counted_by_reason(folder: Path, capsys: Any) -> None:
    rows = planted()
    odd = [
        "chr1,70000,A,C,1,Lung,5",
        f"chr1,101,{CONTIGS['1'][100]},{CONTIGS['1'][100]}A,1,Lung,5",
        f"chr1,2,{CONTIGS['1'][1]},{'A' if CONTIGS['1'][1] == 'C' else 'C'},1,Lung,5",
        f"chr1,101,{CONTIGS['1'][100]},{'A' if CONTIGS['1'][100] == 'C' else 'C'},1,Lung,",
        "chr17,70,A,C,1,Lung,5",
    ]
    write_planted(folder, [*rows, *odd])
    assert run("out", "controls.untrained=false") == 0
    # Half of the window of the third lies outside its contig.
    assert results("out")["not_scored"] == {"no_contig": 1, "no_distance": 1, "outside": 1, "unknown": 1}
    assert "1 not: the reference allele is not inside the contig" in capsys.readouterr().out
    assert run("official", "controls.untrained=false", "protocol=official") == 0
    official = {"no_contig": 1, "no_distance": 1, "outside": 1, "edge": 1, "indel": 1}
    assert results("official")["not_scored"] == official


def test_the_loader_of_official_drops_the_last_rows(folder: Path) -> None:
    write_planted(folder, planted()[:-3])
    assert run("out", "controls.untrained=false", "protocol=official") == 0
    assert results("out")["rows"] == {"train": 120, "valid": 0, "test": 32}
    assert results("out")["not_scored"] == {"dropped": 5}


def test_distances_from_genes_where_the_table_has_none(folder: Path) -> None:
    rows = [row.rpartition(",")[0] for row in planted()]
    write_planted(folder, rows)
    text = (folder / "eqtl.csv").read_text().replace(",distance_to_nearest_tss", "")
    (folder / "eqtl.csv").write_text(text)
    (folder / "genes.bed").write_text("".join(f"chr{name}\t100\t300\tg\t0\t+\n" for name in CONTIGS))
    recipe = load(find("vep_eqtl"), [*GIVEN, "controls.genes=genes.bed"])
    assert isinstance(recipe, VepEqtl)
    work = Work(recipe, recipe.files())
    positions = [int(row.split(",")[1]) - 1 for row in rows]
    assert work.distance.tolist() == [abs(position - 100) for position in positions]
    assert run("out") == 2, "the genes are needed"


def edited(row: int, column: str, value: str) -> Callable[[list[str]], list[str]]:
    """The planted file with one cell changed; row 0 is the header."""

    def edit(lines: list[str]) -> list[str]:
        at = HEADER.split(",").index(column)
        cells = lines[row].split(",")
        cells[at] = value
        return [*lines[:row], ",".join(cells), *lines[row + 1 :]]

    return edit


def relabelled(lines: list[str]) -> list[str]:
    return [lines[0], *(",".join([*line.split(",")[:4], "1", *line.split(",")[5:]]) for line in lines[1:])]


def shifted(lines: list[str]) -> list[str]:
    cells = [line.split(",") for line in lines[1:]]
    return [lines[0], *(",".join([c[0], str(int(c[1]) + 1), *c[2:]]) for c in cells)]


def without_test(lines: list[str]) -> list[str]:
    return [line for line in lines if not line.startswith("chr9")]


BAD: dict[str, tuple[Any, tuple[str, ...], str]] = {
    "no label": (edited(0, "label", "y"), (), "has no column 'label' or 'labels' for the label; it has 'chromosome'"),
    "no tissue": (edited(0, "tissue", "organ"), (), "has no column 'tissue' for the tissue"),
    "no distance": (edited(0, "distance_to_nearest_tss", "d"), (), "for the distance to the nearest start of transc"),
    "no position": (edited(0, "position", "where"), (), "has no column 'pos' or 'position' for the position"),
    "no allele": (edited(0, "alt", "x"), (), "for the alternate allele"),
    "a position in words": (edited(3, "position", "ten"), (), "line 4, column position: the position is 'ten'"),
    "a label of its own": (edited(3, "label", "2"), (), "line 4, column label: '2', expected one of 0, 1"),
    "an empty tissue": (edited(3, "tissue", ""), (), "line 4, column tissue: the cell is empty"),
    "a distance in words": (edited(3, "distance_to_nearest_tss", "far"), (), "'far', expected a distance in bases"),
    "a tissue of the test rows alone": (
        edited(160, "tissue", "Skin"),
        (),
        "test rows have the tissue 'Skin', which no",
    ),
    "a tissue of the training rows alone": (
        edited(2, "tissue", "Skin"),
        ("protocol=official",),
        "training rows have the tissue 'Skin', which no test row has",
    ),
    "another assembly": (shifted, (), "have another reference than genome.fa"),
    "one label": (relabelled, (), "0 to 30 kb: its 16 test rows are all of label 1: there is nothing to tell apart"),
    "no test rows": (without_test, (), "no bucket can be scored:\n  0 to 30 kb: no test rows"),
    "other contigs for testing": (list, ("test_contigs=[X]",), "all distances: no test rows"),
    "no model": (list, ("model=nowhere",), "model: nowhere; a folder"),
    "no variants": (list, ("variants=nowhere.csv",), "variants: nowhere.csv"),
    "a form that is not read": (list, ("variants=genome.fa",), "expected '>name|label'"),
    "no edges": (list, ("edges=[5, 5]",), "edges are (5, 5), expected rising distances above 0"),
    "a strength below 0": (list, ("c=[-1]",), "c holds -1.0, expected numbers above 0"),
    "an unknown protocol": (list, ("protocol=fair",), "protocol: Input should be 'sound' or 'official'"),
}


@pytest.mark.parametrize("which", BAD)
def test_what_cannot_be_done_is_refused_before_anything_is_written(folder: Path, capsys: Any, which: str) -> None:
    edit, more, message = BAD[which]
    write_planted(folder)
    lines = edit((folder / "eqtl.csv").read_text().splitlines())
    (folder / "eqtl.csv").write_text("\n".join(lines) + "\n")
    assert run("out", *more) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_a_split_of_its_own_is_refused(folder: Path, capsys: Any) -> None:
    write_planted(folder)
    lines = (folder / "eqtl.csv").read_text().splitlines()
    (folder / "eqtl.csv").write_text("\n".join([f"{lines[0]},split", *(f"{line},tset" for line in lines[1:])]) + "\n")
    assert run("out") == 2
    assert (
        "line 2, column split: 'tset', expected one of train, valid, validation, dev, test" in capsys.readouterr().err
    )


def test_a_bucket_with_one_label_is_left_out_and_the_others_are_scored(folder: Path, capsys: Any) -> None:
    def changed(row: str) -> str:
        *cells, label, tissue, distance = row.split(",")
        return ",".join([*cells, "0" if distance in ("-5", "29999") else label, tissue, distance])

    write_planted(folder, [changed(row) for row in planted()])
    assert run("out", "controls.untrained=false") == 0
    found = results("out")["buckets"]
    problem = "its 16 test rows are all of label 0: there is nothing to tell apart"
    assert found["0 to 30 kb"]["problem"] == problem
    assert found["0 to 30 kb"]["arms"] == {}
    assert found["100 kb and more"]["arms"]["model"]["auroc"]["value"] is not None
    assert f"nothing to say: {problem}" in capsys.readouterr().out


def test_variants_that_a_split_shares_are_counted(folder: Path, capsys: Any) -> None:
    rows = [f"{row},{'test' if row.startswith('chr9') else 'train'}" for row in planted()]
    tested = [row for row in rows if row.endswith("test")]
    shared = [row.replace(",test", ",train") for row in tested[:3]]
    write_planted(folder, [*rows, *shared])
    text = (folder / "eqtl.csv").read_text()
    (folder / "eqtl.csv").write_text(text.replace(HEADER, f"{HEADER},split", 1))
    assert run("out", "controls.untrained=false") == 0
    assert results("out")["test_variants_in_training"] == 3
    assert "3 variants of test rows are in rows for training" in capsys.readouterr().out
    write_planted(folder)
    assert run("whole", "controls.untrained=false") == 0
    assert results("whole")["test_variants_in_training"] == 0
    assert "in rows for training" not in capsys.readouterr().out


def test_checking_writes_nothing(folder: Path, capsys: Any) -> None:
    write_planted(folder)
    before = sorted(folder.rglob("*"))
    assert main(["check", "vep_eqtl", *options()]) == 0
    said = capsys.readouterr().out
    assert "rows   100 kb and more: " in said
    assert "about 640 windows of 32 bases; at most 512 variants between two saves" in said
    assert [path for path in sorted(folder.rglob("*")) if path.suffix not in (".fai", ".gzi")] == before
    assert main(["check", "vep_eqtl"]) == 2
    assert "Give it by: --set model=FOLDER --set fasta=FILE --set variants=FILE" in capsys.readouterr().err


def test_published_numbers_are_marked(folder: Path) -> None:
    write_planted(folder)
    marks = {
        ("protocol=sound",): "protocol sound: the published one chooses C by the test rows",
        ("protocol=official",): "windows of 32 bases, published ones have 131,072",
    }
    for number, (more, mark) in enumerate(marks.items()):
        assert run(f"out{number}", *more, "controls.untrained=false") == 0
        buckets = results(f"out{number}")["buckets"]
        assert mark in buckets["100 kb and more"]["published"]["not_comparable"]
        assert buckets["all distances"]["published"] == {}


@pytest.mark.parametrize("equivariance", ["ps", "ph"])
@pytest.mark.parametrize("protocol", ["sound", "official"])
def test_clinvar_in_the_form_of_the_benchmark(
    folder: Path, data_folder: Path, equivariance: str, protocol: str
) -> None:
    write_planted(folder, equivariance=equivariance)
    from_clinvar(data_folder, folder / "clinvar.csv", 40)
    fasta = data_folder / "genomes" / "hg19_chr20.fa.gz"
    more = ("variants=clinvar.csv", f"fasta={fasta}", "length=128", "radius=16", "edges=[5000]", f"protocol={protocol}")
    assert run("out", *more, "controls.composition_bases=200000") == 0
    found = results("out")
    assert found["alleles"] == 40
    assert sum(found["rows"].values()) >= 80 - (7 + 7 if protocol == "official" else 0)
    assert list(found["buckets"]) == ["0 to 5 kb", "5 kb and more", "all distances"]
    for bucket in found["buckets"].values():
        assert bucket["problem"] is None
        assert bucket["arms"]["copied"]["auroc"]["value"] == 0.5
        assert all(0 <= arm["auroc"]["low"] <= arm["auroc"]["high"] <= 1 for arm in bucket["arms"].values())
