"""Tables of sequences and labels: every form gives the same, and what is wrong is said with its place."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from caduceus.conformance.finetune.conftest import Write
from caduceus.data import labelled, read_table
from caduceus.extras import require

ROWS = [("ACGT", "1"), ("gg", "0"), ("ANNT", "1")]


def _write_parquet(path: Path, columns: dict[str, list[object]]) -> None:
    arrow, parquet = require("pyarrow", "parquet"), require("pyarrow.parquet", "parquet")
    parquet.write_table(arrow.table(columns), str(path))


def test_every_form_gives_the_same_rows(tmp_path: Path) -> None:
    comma = "sequence,label\n" + "".join(f"{s},{y}\n" for s, y in ROWS)
    (tmp_path / "a.csv").write_text(comma)
    (tmp_path / "windows.csv").write_bytes(b"\xef\xbb\xbf" + comma.replace("\n", "\r\n").encode())
    (tmp_path / "a.tsv").write_text(comma.replace(",", "\t"))
    (tmp_path / "packed.CSV.gz").write_bytes(gzip.compress(comma.encode()))
    (tmp_path / "a.fa").write_text("".join(f">r{i}|{y}\n{s[:2]}\n{s[2:]}\n" for i, (s, y) in enumerate(ROWS)))
    (tmp_path / "b.fna").write_text("".join(f">r{i} label={y} x\n{s}\n" for i, (s, y) in enumerate(ROWS)))
    _write_parquet(tmp_path / "a.parquet", {"label": [1, 0, 1], "sequence": [s for s, _ in ROWS]})
    files = sorted(tmp_path.iterdir())
    assert len(files) == 7
    for path in files:
        data = labelled(read_table(path))
        assert list(data.sequences) == ["ACGT", "gg", "ANNT"], path.name
        assert (data.classes, data.labels.tolist()) == (("0", "1"), [1, 0, 1]), path.name


def test_one_task_of_a_file_of_several(tmp_path: Path) -> None:
    path = tmp_path / "all.parquet"
    _write_parquet(path, {"task": ["H3", "H4", "H3"], "sequence": ["A", "C", "G"], "label": [0, 1, 1]})
    chosen = read_table(path).where({"task": "H3"})
    assert (list(chosen.columns["sequence"]), chosen.numbers.tolist()) == (["A", "G"], [1, 3])
    with pytest.raises(ValueError, match=r"no row with task = 'H5'; it has 'H3', 'H4'"):
        read_table(path).where({"task": "H5"})


def test_a_list_is_as_several_labels_in_one_cell(tmp_path: Path) -> None:
    path = tmp_path / "lists.parquet"
    _write_parquet(path, {"seq": ["A", "C", "G"], "label": [["b", "a"], [], ["b"]], "of": [[1, 2], [3], None]})
    table = read_table(path)
    assert (table.columns["label"], table.columns["of"]) == (["b;a", "", "b"], ["1;2", "3", ""])
    data = labelled(table, problem="multi_label_classification")
    assert (data.classes, data.labels.tolist()) == (("a", "b"), [[1, 1], [0, 0], [0, 1]])


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ([{"a": 1}], r"a.parquet, column Label for the label holds struct<a: int64>, expected texts, numbers, or"),
        ([[["a"]]], r"column Label for the label holds list<.*list<.*expected texts, numbers, or lists of them"),
        ([["a;b"]], r"column Label for the label holds lists with ';' in a text, expected texts without it"),
    ],
)
def test_what_no_cell_can_hold_is_refused_where_it_is_read(tmp_path: Path, label: list[object], message: str) -> None:
    path = tmp_path / "a.parquet"
    _write_parquet(path, {"seq": ["A"], "Label": label, "class": ["x"]})
    assert labelled(read_table(path), label="class").classes == ("x",), "what is not read does not matter"
    for problem in ("single_label_classification", "multi_label_classification"):
        with pytest.raises(ValueError, match=message):
            labelled(read_table(path).take(np.array([0])), problem=problem)  # type: ignore[arg-type]


def test_a_field_may_hold_a_whole_sequence(table: Write) -> None:
    assert len(table("long.csv", f"sequence,label\n{'A' * 200_000},1\n").columns["sequence"][0]) == 200_000


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "", "is empty, expected a header"),
        ("a.csv", "sequence,label\n", "holds no rows"),
        ("a.csv", "sequence,label\nAC,1\nAC\n", r"a.csv, line 3: 1 fields, expected 2"),
        ("a.csv", "label,label\n1,1\n", r"line 1: the header has 'label' more than once"),
        ("a.csv", 'sequence,label\n"AC,1\n', r"line 2: unexpected end of data"),
        ("a.fa", ">r1|1\nAC\n>r2\nAC\n", r"a.fa, record 2: 'r2' has no label, expected '>name\|label'"),
        ("a.txt", "x", r"unknown suffix, expected one of \.csv"),
        ("a.csv.gz", "\x1f\x8bno gzip", r"is damaged"),
        ("a.parquet", "PAR1 and nothing", r"a.parquet is no readable parquet file"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / name)


def test_a_gzip_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(b"sequence,label\n" + b"".join(b"ACGT" * i + b",1\n" for i in range(1, 200)))
    (tmp_path / "a.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"a.csv.gz is damaged"):
        read_table(tmp_path / "a.csv.gz")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*none.csv"):
        read_table(tmp_path / "none.csv")
