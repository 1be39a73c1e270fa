"""`score_variants`: variants, from a file or from Python, to a table."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from caduceus.data import Allele, Genome, Judge, Record, VariantFile, flank_of, survey
from caduceus.predict.models import uses_masks
from caduceus.predict.scoring import Score, Scorer, Scoring

# A chunk is scored by itself, so that the same records give the same bits however often a run is interrupted.
CHUNK = 512
COLUMNS = np.dtype(
    [
        ("contig", object),
        ("position", np.int64),
        ("id", object),
        ("ref", object),
        ("alt", object),
        *((name, np.float64) for name in Score._fields),
        ("note", object),
    ]
)
Variants = str | os.PathLike[str] | Iterable[tuple[str, int, str, str]]


class Scored(NamedTuple):
    """A record and, for each alternate allele, what was scored or a word of `caduceus.data.REASONS`, and its scores."""

    record: Record
    judged: list[Allele | str]
    scores: list[Score]


def judge_for(model: Any, genome: Genome, window: int, longest: int) -> Judge:
    """Alleles at the ends of contigs pass if the model obeys masks."""
    return Judge(genome, longest, margin=0 if uses_masks(model) else flank_of(window))


def scored(records: Iterable[Record], judge: Judge, scorer: Scorer) -> list[Scored]:
    """Records in one go: alleles at one place share passes."""
    judged = [(record, judge(record)) for record in records]
    found = iter(scorer([allele for _, each in judged for allele in each if isinstance(allele, Allele)]))
    return [
        Scored(record, each, [next(found) if isinstance(allele, Allele) else Score() for allele in each])
        for record, each in judged
    ]


def in_chunks(records: Iterable[Record], size: int = CHUNK) -> Iterator[list[Record]]:
    """Lists of ``size`` records; the last may be shorter."""
    left = iter(records)
    while chunk := list(islice(left, size)):
        yield chunk


def score_variants(
    model: Any,
    fasta: Genome | str | os.PathLike[str],
    variants: Variants,
    *,
    scoring: Scoring | None = None,
    longest: int = 50,
    most_mismatched: float = 0.01,
) -> np.ndarray:
    """Score variants on a genome; larger files are for the recipe, which streams.

    Args:
        model: with a masked-LM head; a ps model answers for both strands in one pass, any other is averaged over two.
        fasta: the genome.
        variants: a VCF or a table (see `caduceus.data.VariantFile`), or tuples (contig, position from 1, ref, alt).
        scoring: window and scores.
        longest: bases of the longest allele that is scored.
        most_mismatched: largest share of alleles whose reference is not what the genome has.

    Returns:
        A structured array (n,), a row for each alternate allele in order: contig, position (int64, from 1), id, ref,
        alt as given; llr, ref_prob, distance and pll (float64, NaN where they do not apply), as in
        `caduceus.predict.scoring`; note, "" or a word of `caduceus.data.REASONS` that says why there is no score.
        ``pandas.DataFrame`` takes it.

    Raises:
        TypeError: the model is none. ValueError: it has no masked-LM head, or the variants are malformed, lie on no
            contig of the genome, or too many have another reference.

    >>> import caduceus
    >>> from caduceus import parts
    >>> from caduceus.data import ecoli_path
    >>> spec = parts.Model(embedding=parts.Embedding(d_model=8), mixers=[parts.BiMamba()], head=parts.MaskedLM())
    >>> rows = [("K-12-MG1655", 11, "T", "C"), ("K-12-MG1655", 11, "T", "<DEL>")]
    >>> table = score_variants(caduceus.build(spec), ecoli_path(), rows, scoring=Scoring(window=65))
    >>> table["note"].tolist(), bool(0 < table["ref_prob"][0] < 1)
    (['', 'symbolic'], True)
    """
    scoring = scoring or Scoring()
    genome = fasta if isinstance(fasta, Genome) else Genome(fasta)
    scorer = Scorer(model, genome, scoring)
    records = VariantFile(variants) if isinstance(variants, str | os.PathLike) else _given(variants)
    survey(records, judge_for(model, genome, scoring.window, longest), most_mismatched=most_mismatched)
    judge = judge_for(model, genome, scoring.window, longest)
    rows = [row for chunk in in_chunks(records) for each in scored(chunk, judge, scorer) for row in _rows(each)]
    return np.array(rows, dtype=COLUMNS)


def _given(variants: Any) -> list[Record]:
    records = []
    for i, row in enumerate(variants, 1):
        fields = tuple(row)
        if len(fields) != 4 or not all(isinstance(fields[j], str) and fields[j] for j in (0, 2, 3)):
            raise ValueError(f"variant {i} is {row!r}, expected (contig, position from 1, ref, alt)")
        contig, position, ref, alt = fields
        if not isinstance(position, int | np.integer):
            raise ValueError(f"variant {i} is {row!r}: its position is no whole number")
        records.append(Record(i, contig, int(position), ".", ref, (alt,), ()))
    return records


def _rows(each: Scored) -> Iterator[tuple[Any, ...]]:
    record = each.record
    for alt, judged, score in zip(record.alts, each.judged, each.scores, strict=True):
        note = judged if isinstance(judged, str) else ""
        yield (record.contig, record.position, record.id, record.ref, alt, *score, note)
