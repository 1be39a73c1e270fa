"""Scored records as lines of a VCF and of a table."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from math import isnan
from typing import NamedTuple

from Bio.bgzf import BgzfWriter

from caduceus.data import REASONS, Genome, Record, VariantFile

# The empty block that ends a BGZF file (SAM specification, 4.1.2).
BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
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


class Values(NamedTuple):
    """What is written of an alternate allele: numbers by column (absent or NaN: no value), split, and note."""

    numbers: dict[str, float]
    split: str = ""
    note: str = ""


def shown(number: float) -> str:
    """Six digits; nothing for NaN.

    >>> shown(0.1234567), shown(float("nan"))
    ('0.123457', '')
    """
    return "" if isnan(number) else f"{number:.6g}"


def table_header() -> str:
    return "\t".join(TABLE) + "\n"


def table_lines(record: Record, values: Sequence[Values]) -> str:
    lines = []
    for alt, each in zip(record.alts, values, strict=True):
        named = {
            "contig": record.contig,
            "position": str(record.position),
            "id": record.id,
            "ref": record.ref,
            "alt": alt,
            "split": each.split,
            "note": each.note,
            **{name: shown(number) for name, number in each.numbers.items()},
        }
        lines.append("\t".join(named.get(name, "") for name in TABLE) + "\n")
    return "".join(lines)


def vcf_header(file: VariantFile, genome: Genome) -> str:
    """The file's own header with the INFO fields of the scores; for a table, a new one."""
    added = [
        f'##INFO=<ID={_PREFIX}{name.upper()},Number=A,Type={kind},Description="{text}">'
        for name, (kind, text) in COLUMNS.items()
    ]
    if file.is_vcf:
        kept = [line for line in file.header[:-1] if not line.startswith(f"##INFO=<ID={_PREFIX}")]
        names = file.header[-1]
    else:
        contigs = (f"##contig=<ID={name},length={length}>" for name, length in genome.contigs.items())
        kept = ["##fileformat=VCFv4.2", *contigs]
        names = "\t".join(("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"))
    return "\n".join([*kept, *added, names]) + "\n"


def vcf_line(record: Record, values: Sequence[Values], is_vcf: bool) -> str:
    """The record's own line with the scores in INFO, in place of those of an earlier scoring."""
    fixed = (record.contig, str(record.position), record.id, record.ref, ",".join(record.alts), ".", ".", ".")
    fields = list(record.fields if is_vcf else fixed)
    kept = [entry for entry in fields[7].split(";") if entry not in ("", ".") and not entry.startswith(_PREFIX)]
    for name in COLUMNS:
        each = [v.note if name == "note" else shown(v.numbers.get(name, float("nan"))) for v in values]
        if any(each):
            kept.append(f"{_PREFIX}{name.upper()}=" + ",".join(text or "." for text in each))
    fields[7] = ";".join(kept) or "."
    return "\t".join(fields) + "\n"


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
