"""Scored records as lines of a VCF and of a table."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from math import isnan
from typing import NamedTuple

from Bio.bgzf import BgzfWriter

from caduceus.data import REASONS, Genome, Record, VariantFile
from caduceus.data.text import BGZF_END

# Column of the table: (type of the INFO field, what it is).
COLUMNS = {
    "llr": ("Float", "logit of the alternate minus that of the reference, changed positions masked, both strands"),
    "ref_prob": ("Float", "probability of the reference over A, C, G, T there"),
    "distance": ("Float", "distance between the embeddings of both alleles, averaged near the allele"),
    "pll": ("Float", "pseudo-log-likelihood of an insertion or deletion minus that of the reference"),
    "pll_mean": ("Float", "the same, a base: how many there are does not count"),
    "untrained_llr": ("Float", "control: llr of the same network with its initial weights"),
    "untrained_distance": ("Float", "control: distance by the same network with its initial weights"),
    "untrained_pll_mean": ("Float", "control: pll_mean of the same network with its initial weights"),
    "copied_llr": ("Float", "control: llr with the reference copied to the alternate, 0 for any model"),
    "trinucleotide": ("Float", "control: log ratio of the counts of both trinucleotides"),
    "cpg": ("Float", "control: 1 for a transition at a CpG"),
    "gained": ("Integer", "control: bases of the alternate minus those of the reference, of insertions and deletions"),
    "tss_distance": ("Float", "control: bases to the nearest start of transcription"),
    "note": ("String", "why there is no score: " + ", ".join(REASONS)),
}
TABLE_FILE = "variants.tsv"
UNTRAINED = tuple(name.removeprefix("untrained_") for name in COLUMNS if name.startswith("untrained_"))
TABLE = ("contig", "position", "id", "ref", "alt", *list(COLUMNS)[:-1], "split", "truth", "note")
_PREFIX = "CADUCEUS_"
_NAMES = {_PREFIX + name.upper() for name in COLUMNS}
_DECLARED = tuple(f"##INFO=<ID={name}," for name in _NAMES)
# Of the VCF specification, 1.6.1: bases, a deletion that another record describes, none, symbolic, breakends.
_ALLELE = re.compile(r"[ACGTN]+\.?|\.[ACGTN]*|\*|<[^<>]+>|[ACGTN.]*[\[\]][^\[\]]+[\[\]][ACGTN.]*", re.IGNORECASE)


class Values(NamedTuple):
    """What is written of an alternate allele: numbers by column (absent or NaN: no value), split, and note."""

    numbers: dict[str, float]
    split: str = ""
    note: str = ""


def shown(number: float) -> str:
    """Six digits, all of a whole number; nothing for NaN.

    >>> shown(0.1234567), shown(1234567.0), shown(float("nan"))
    ('0.123457', '1234567', '')
    """
    return "" if isnan(number) else f"{number:.6g}" if number % 1 else f"{number:.0f}"


def table_header() -> str:
    return "\t".join(TABLE) + "\n"


def table_lines(record: Record, values: Sequence[Values]) -> str:
    lines = []
    for alt, each in zip(record.alts, values, strict=True):
        named = {
            "contig": record.contig,
            "position": str(record.position),
            "id": record.id.replace("\t", " "),
            "ref": record.ref,
            "alt": alt,
            "split": each.split,
            "note": each.note,
            **{name: shown(number) for name, number in each.numbers.items()},
        }
        lines.append("\t".join(named.get(name, "") for name in TABLE) + "\n")
    return "".join(lines)


def vcf_header(file: VariantFile, genome: Genome, unknown: Iterable[str]) -> str:
    """The file's own header with the INFO fields of the scores; for a table a new one, with its ``unknown`` contigs."""
    added = [
        f'##INFO=<ID={_PREFIX}{name.upper()},Number=A,Type={kind},Description="{text}">'
        for name, (kind, text) in COLUMNS.items()
    ]
    if file.is_vcf:
        kept = [line for line in file.header[:-1] if not line.startswith(_DECLARED)]
        names = file.header[-1]
    else:
        contigs = (f"##contig=<ID={name},length={length}>" for name, length in genome.contigs.items())
        kept = ["##fileformat=VCFv4.2", *contigs, *(f"##contig=<ID={name}>" for name in sorted(unknown))]
        names = "\t".join(("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"))
    return "\n".join([*kept, *added, names]) + "\n"


def holds_scores(file: VariantFile) -> bool:
    """Whether a VCF comes from an earlier scoring."""
    return any(line.startswith(_DECLARED) for line in file.header)


def vcf_line(record: Record, values: Sequence[Values], is_vcf: bool) -> str:
    """The record's own line with the scores in INFO, in place of those of an earlier scoring."""
    fields = list(record.fields) if is_vcf else _vcf_fields(record)
    kept = [each for each in fields[7].split(";") if each not in ("", ".") and each.split("=")[0] not in _NAMES]
    for name in COLUMNS:
        each = [v.note if name == "note" else shown(v.numbers.get(name, float("nan"))) for v in values]
        if any(each):
            kept.append(f"{_PREFIX}{name.upper()}=" + ",".join(text or "." for text in each))
    fields[7] = ";".join(kept) or "."
    return "\t".join(fields) + "\n"


def _vcf_fields(record: Record) -> list[str]:
    """A row of a table as a VCF may have it: no spaces in the ID, and N for what is no allele there, such as -."""
    ref = "N" if record.ref.upper().strip("ACGTN") else record.ref
    alts = ",".join(alt if _ALLELE.fullmatch(alt) else "N" for alt in record.alts)
    return [record.contig, str(record.position), "_".join(record.id.split()), ref, alts, ".", ".", "."]


def as_bytes(texts: Iterable[str], packed: bool) -> bytes:
    """Text of a file, in BGZF blocks of its own where it is packed: pieces put together are a file again."""
    plain = "".join(texts).encode("utf-8", "surrogateescape")
    if not packed:
        return plain
    held = io.BytesIO()
    writer = BgzfWriter(fileobj=held)
    writer.write(plain)
    writer.flush()
    # Where blocks are full, the flush writes an empty one: in the midst of a file, that would be its end.
    return held.getvalue().removesuffix(BGZF_END)
