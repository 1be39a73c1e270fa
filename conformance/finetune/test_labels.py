"""Labels: the order of classes, the three problems, and the stated behaviour for bad cells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caduceus import alphabet
from caduceus.conformance.finetune.conftest import Write
from caduceus.data import Table, find_repeats, labelled
from caduceus.symmetry import Tokens


def test_the_order_of_classes_is_that_of_their_names_and_not_of_the_rows(table: Write) -> None:
    one = labelled(table("a.csv", "seq,class\nA,worm\nC,human\nG,worm\n"))
    other = labelled(table("b.csv", "seq,class\nC,human\nG,worm\nA,worm\n"))
    assert one.classes == other.classes == ("human", "worm")
    assert (one.labels.tolist(), other.labels.tolist()) == ([1, 0, 1], [0, 1, 1])
    listed = labelled(table("a.csv", "seq,class\nA,worm\nC,human\n"), order="listed")
    assert listed.classes == ("worm", "human")


def test_whole_numbers_are_ordered_by_value(table: Write) -> None:
    data = labelled(table("a.csv", "seq,label\nA,10\nC,9\nG,-1\n"))
    assert data.classes == ("-1", "9", "10")


def test_a_test_split_takes_the_classes_of_training(table: Write) -> None:
    train = labelled(table("train.csv", "seq,label\nA,a\nC,b\nG,c\n"))
    test = labelled(table("test.csv", "seq,label\nA,c\nT,c\n"), like=train)
    assert (test.classes, test.labels.tolist()) == (("a", "b", "c"), [2, 2])
    assert test.counts() == {"a": 0, "b": 0, "c": 2}
    assert test.notes() == [f"{test.table.source}: no row of class 'a', 'b'"]
    with pytest.raises(ValueError, match=r"test.csv, line 2, column label: label 'd' is unknown, expected one of a, b"):
        labelled(table("test.csv", "seq,label\nA,d\n"), like=train)


def test_a_test_split_is_read_by_the_columns_of_training(table: Write) -> None:
    train = labelled(table("train.csv", "seq,target\nA,0.1\nC,0.2\n"), problem="regression")
    test = labelled(table("test.csv", "sequence,seq,label,target\nTT,AA,7,0.3\n"), like=train)
    assert (test.sequences, test.classes, test.labels.tolist()) == (["AA"], ("target",), [[0.3]])
    renamed = labelled(table("test.csv", "dna,label\nTT,7\n"), like=train)
    assert renamed.labels.tolist() == [[7.0]], "where there is no such column, as without training"


def test_several_labels_as_columns_and_as_a_list(table: Write) -> None:
    columns = table("a.csv", "seq,x,y\nA,1,0\nC,0,0\nG,true,1\n")
    flags = labelled(columns, problem="multi_label_classification", label=["x", "y"])
    names = labelled(table("b.csv", "seq,label\nA,x\nC,\nG,y; x\n"), problem="multi_label_classification")
    for data in (flags, names):
        assert (data.classes, data.labels.tolist()) == (("x", "y"), [[1, 0], [0, 0], [1, 1]])
        assert data.counts() == {"x": 2, "y": 1}
    with pytest.raises(ValueError, match=r"a.csv, line 2, column y: '2', expected 0 or 1"):
        labelled(table("a.csv", "seq,x,y\nA,1,2\n"), problem="multi_label_classification", label=["x", "y"])


def test_numbers(table: Write) -> None:
    data = labelled(table("a.csv", "seq,u,v\nA,1.5,-2\nC,1e-3,0\n"), problem="regression", label=["u", "v"])
    assert (data.classes, data.labels.tolist(), data.counts()) == (("u", "v"), [[1.5, -2.0], [0.001, 0.0]], {})
    for text in ("high", "", "nan", "inf"):
        with pytest.raises(ValueError, match=rf"a.csv, line 3, column label: '{text}' is n"):
            labelled(table("a.csv", f"seq,label\nA,1\nC,{text}\n"), problem="regression")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seq,y\nA,1\n", r"a.csv has no column 'label' or .* for the label; it has 'seq', 'y'"),
        ("dna_string,label\nA,1\n", r"no column 'sequence' or .* for the sequence; it has 'dna_string', 'label'"),
        ("seq,label\nA,1\n ,0\n", r"a.csv, line 3, column seq: the sequence is empty, expected at least one base"),
        ("seq,label\nAC-GT,1\n", r"line 2, column seq: '-' at base 3 is no letter of DNA"),
        ("seq,label\nACGU,1\n", r"line 2, column seq: 'U' at base 4 is no letter of DNA"),
        ("seq,label\nA,\n", r"line 2, column label: the label is empty"),
    ],
)
def test_bad_cells_are_refused_with_their_place(table: Write, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        labelled(table("a.csv", text))


def test_a_column_that_is_asked_for_must_be_there(table: Write) -> None:
    with pytest.raises(ValueError, match=r"no column 'y' for the label; it has 'seq', 'label'"):
        labelled(table("a.csv", "seq,label\nA,1\n"), label="y")


def test_short_lower_case_and_ambiguous_sequences_are_taken_and_told(table: Write) -> None:
    data = labelled(table("a.csv", "seq,label\nAC,0\nacgt,1\nARYN,1\nACGTACGT,0\n"))
    assert data.lengths().tolist() == [2, 4, 4, 8]
    notes = "\n".join(data.notes(max_length=6))
    assert "1 sequences hold letters other than A, C, G, T, N, read as [UNK]" in notes
    assert "1 sequences hold lower-case letters" in notes
    assert "1 sequences are longer than 6, cut at their end" in notes


def _rc(sequence: str) -> str:
    """The library's reverse complement, not the one that `find_repeats` uses."""
    ids = np.array([alphabet.tokenize(sequence)])
    found = alphabet.decode(Tokens().act(ids)[0])
    assert isinstance(found, str)
    return found


@given(st.lists(st.text("ACGTN", min_size=1, max_size=6), max_size=8), st.data())
def test_repeats_are_found_on_either_strand(others: list[str], data: st.DataObject) -> None:
    mine = data.draw(st.lists(st.text("ACGTN", min_size=1, max_size=6), max_size=8))
    mine += others[:2] + [_rc(sequence).lower() for sequence in others[2:4]]
    found = find_repeats(mine, others)
    for sequence, exact, reverse in zip(mine, found.exact, found.reverse, strict=True):
        assert exact == (sequence.upper() in others)
        assert reverse == (sequence.upper() not in others and _rc(sequence) in others)
    assert found.either.sum() == found.counts()["exact"] + found.counts()["reverse"]


def test_a_split_without_its_repeats(table: Write) -> None:
    test = labelled(table("test.csv", "seq,label\nAACC,1\nGGTT,0\nACGT,1\n"))
    left = test.take(~find_repeats(test.sequences, ["AACC"]).either)
    assert (list(left.sequences), left.labels.tolist(), left.table.numbers.tolist()) == (["ACGT"], [1], [4])


def test_rows_know_their_place_after_a_choice() -> None:
    table = Table("t.csv", {"seq": ["A", "C", "G"]}, np.array([2, 3, 4]))
    assert table.take(np.array([2, 0])).at(0, "seq") == "t.csv, line 4, column seq"
