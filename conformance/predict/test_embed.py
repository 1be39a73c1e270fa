"""Embeddings: the layers that are named, pooled over the sequence alone, the same on either strand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.conformance.data.fasta_files import random_sequence
from caduceus.conformance.predict.conftest import CONTIGS
from caduceus.conformance.predict.models import Unmasked, small
from caduceus.data import Genome, fasta_sequences, region_sequences, table_sequences
from caduceus.predict import embed
from caduceus.symmetry import reverse_complement

SEQUENCES = [random_sequence(length, length, "ACGTNacgt") for length in (1, 2, 9, 9, 30, 31, 17)]
POOLINGS = ("mean", "max", "centre", "window")


def test_layers_are_the_stages_of_the_paper() -> None:
    """residual.i = residual.i-1 + mixer.i, from the embedding to what the final norm reads."""
    model = small()
    names = ["embedding", "mixer.0", "residual.0", "mixer.1", "residual.1", "final"]
    found = embed(model, SEQUENCES[4], layers=names, pooling="none", strands="both")
    stream = found["embedding"][0]
    ids, _ = caduceus.encode(SEQUENCES[4])
    np.testing.assert_array_equal(stream[0], model.weights()["embedding.weight"][ids[0]])
    for i in range(2):
        stream = stream + found[f"mixer.{i}"][0]
        np.testing.assert_allclose(found[f"residual.{i}"][0], stream, rtol=1e-6, atol=1e-6)
    normed = stream / np.sqrt((stream**2).mean(-1, keepdims=True) + 1e-5) * model.weights()["norm_f.weight"]
    np.testing.assert_allclose(found["final"][0], normed, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        features = model.features(ids)[0].numpy()
    np.testing.assert_array_equal(found["final"][0], np.stack([features[0], features[1][::-1]]))


@pytest.mark.parametrize("equivariance", ["ps", "ph"])
@pytest.mark.parametrize("pooling", [*POOLINGS, "none"])
def test_the_reverse_complement_exchanges_the_strands(equivariance: str, pooling: str) -> None:
    model, options = small(equivariance), {"pooling": pooling, "radius": 3, "tokens": 1}
    turned = [reverse_complement(sequence) for sequence in SEQUENCES]
    both, there = (embed(model, given, strands="both", **options)["final"] for given in (SEQUENCES, turned))
    average, other = (embed(model, given, strands="average", **options)["final"] for given in (SEQUENCES, turned))
    for i in range(len(SEQUENCES)):
        flip = slice(None, None, -1 if pooling == "none" else None)
        assert both[i][0].tobytes() == np.ascontiguousarray(there[i][1][flip]).tobytes()
        assert average[i].tobytes() == np.ascontiguousarray(other[i][flip]).tobytes()


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("equivariance", ["ps", "ph"])
def test_pooling_is_over_the_sequence_and_ignores_padding(equivariance: str, pooling: str) -> None:
    model, radius = small(equivariance), 3
    layers = ["final", "mixer.0", "residual.1"]
    whole = embed(model, SEQUENCES, layers=layers, pooling="none", strands="both", tokens=1)
    found = embed(model, SEQUENCES, layers=layers, pooling=pooling, strands="both", radius=radius)
    for name in layers:
        for i, sequence in enumerate(SEQUENCES):
            middle, odd = len(sequence) // 2, len(sequence) % 2
            reach = 0 if pooling == "centre" else radius
            near = slice(max(0, middle - reach - (1 - odd)), middle + reach + 1)
            values = whole[name][i] if pooling in ("mean", "max") else whole[name][i][:, near]
            expected = values.max(1) if pooling == "max" else values.mean(1)
            np.testing.assert_allclose(found[name][i], expected, rtol=1e-4, atol=2e-5)


def test_strands_by_name() -> None:
    model = small()
    both = embed(model, SEQUENCES, strands="both")["final"]
    assert embed(model, SEQUENCES, strands="forward")["final"].tolist() == both[:, 0].tolist()
    assert embed(model, SEQUENCES, strands="reverse")["final"].tolist() == both[:, 1].tolist()
    np.testing.assert_allclose(embed(model, SEQUENCES)["final"], both.mean(1), rtol=1e-6)


def test_a_model_that_ignores_masks_reads_each_length_by_itself() -> None:
    kind = f"{Unmasked.__module__}:Unmasked"
    spec = parts.Model(embedding=parts.Embedding(d_model=8), mixers=[{"kind": kind}])
    model = caduceus.build(spec)
    together = embed(model, SEQUENCES)["final"]
    alone = np.concatenate([embed(model, sequence)["final"] for sequence in SEQUENCES])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


def test_n_is_read_as_the_model_was_trained() -> None:
    ids = {"n": 11, "pad": 4}
    for n_as, expected in ids.items():
        model = small(n_as=n_as)
        found = embed(model, "ANC", layers=["embedding"], pooling="none", strands="forward")["embedding"][0]
        np.testing.assert_array_equal(found[1], model.weights()["embedding.weight"][expected])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": ["residual.2"]}, r"no layer 'residual\.2'; it has embedding, final, mixer\.0 to mixer\.1"),
        ({"layers": ["last"]}, "no layer 'last'"),
        ({"pooling": "median"}, "pooling is 'median', expected one of mean, max, centre, window, none"),
        ({"strands": "mean"}, "strands is 'mean', expected one of average, both, forward, reverse"),
    ],
)
def test_what_there_is_not(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        embed(small(), "ACGT", **options)


def test_sequences_from_files(folder: Path, genome: Genome) -> None:
    (folder / "s.fa").write_text(">a first\nACG\nT\n>b\nnnGG\n")
    assert [tuple(each) for each in fasta_sequences("s.fa")] == [("a", "ACGT"), ("b", "nnGG")]
    (folder / "s.csv").write_text("label,sequence\n1,ACGT\n0,GG\n")
    assert [tuple(each) for each in table_sequences("s.csv")] == [("1", "ACGT"), ("2", "GG")]
    (folder / "r.bed").write_text("track x\n1\t5\t9\nchrM\t0\t4\tm\t0\t-\n")
    assert [tuple(each) for each in region_sequences("r.bed", genome)] == [
        ("chr1:5-9", CONTIGS["chr1"][5:9]),
        ("chrM:0-4(-)", reverse_complement(CONTIGS["chrM"][:4])),
    ]


@pytest.mark.parametrize(
    ("text", "read", "message"),
    [
        ("ACGT\n", fasta_sequences, "holds no FASTA: it begins with .ACGT"),
        (">a\n>b\nA\n", fasta_sequences, "record 'a' has no sequence"),
        ("seq\nACGT\n", table_sequences, "has no column 'sequence'; it has seq"),
        ("sequence,x\n,1\n", table_sequences, "row 1 has no sequence"),
        ("ACGT\n>b\nACGT\n", fasta_sequences, "holds no FASTA: it begins with .ACGT"),
        (">a\nMKVLQ\n", fasta_sequences, "record 'a': 'L' at base 4 is no letter of DNA"),
        ("sequence,name\nACGT,a\nAC-T,b\n", table_sequences, "row 2: '-' at base 3 is no letter of DNA"),
        ("sequence,name\nACGT\n", table_sequences, "row 1 has no name"),
        ("sequence\n", table_sequences, "holds no rows below its header"),
        ("sequence\n\n\n", table_sequences, "holds no rows below its header"),
    ],
)
def test_files_without_sequences(folder: Path, text: str, read: object, message: str) -> None:
    (folder / "given").write_text(text)
    with pytest.raises(ValueError, match=message):
        list(read("given"))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("chr1\t2990\t3010\n", "line 1: chr1:2990-3010 is not a range inside 'chr1', which has 3000 bases"),
        ("chr7\t1\t2\n", "line 1: genome.fa has no contig 'chr7'"),
        ("chr1\t9\t9\n", "line 1: chr1:9-9 is empty"),
        ("chr1 nine ten\n", "line 1: expected contig, start, end"),
        ("# nothing\n", "has no regions"),
    ],
)
def test_regions_that_are_not_there(folder: Path, genome: Genome, line: str, message: str) -> None:
    (folder / "r.bed").write_text(line)
    with pytest.raises(ValueError, match=message):
        list(region_sequences("r.bed", genome))
