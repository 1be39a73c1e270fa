"""Files of variants written for a test."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

from Bio.bgzf import BgzfWriter

HEADER = ("##fileformat=VCFv4.2", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO")

Row = tuple[str, int, str, str]


def vcf_text(rows: Sequence[Row], header: Sequence[str] = HEADER, newline: str = "\n") -> str:
    """A VCF of rows (contig, position from 1, ref, alt)."""
    lines = [f"{contig}\t{position}\t.\t{ref}\t{alt}\t.\tPASS\tAC=1" for contig, position, ref, alt in rows]
    return newline.join([*header, *lines]) + newline


def csv_text(rows: Sequence[Row], header: str = "chrom,pos,ref,alt") -> str:
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


def write_variants(folder: Path, text: str, name: str = "variants.vcf") -> Path:
    """The text as a file; names that end in .gz are gzip, in .bgz BGZF."""
    path = folder / name
    if name.endswith(".bgz"):
        with BgzfWriter(str(path), "wb") as packed:
            packed.write(text.encode())
    else:
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path
