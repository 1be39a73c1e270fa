"""FASTA files written for a test, in every packing that a genome may come in."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from Bio.bgzf import BgzfWriter

PACKINGS = ("plain", "bgzf", "gzip")


def random_sequence(length: int, seed: int = 0, letters: str = "ACGTacgtN") -> str:
    """Letters drawn evenly."""
    return "".join(np.random.default_rng(seed).choice(list(letters), length))


def fasta_text(contigs: dict[str, str], width: int = 60, newline: str = "\n") -> str:
    """FASTA with lines of ``width`` letters and a description behind each name."""
    records = []
    for name, sequence in contigs.items():
        lines = [sequence[i : i + width] for i in range(0, len(sequence), width)]
        records.append(newline.join([f">{name} a contig", *lines]) + newline)
    return "".join(records)


def write_fasta(folder: Path, text: str, packing: str = "plain", name: str = "genome") -> Path:
    """The text as a file: plain, BGZF in blocks of 65,536 bytes (as Biopython packs), or gzip without random access."""
    path = folder / (f"{name}.fa" if packing == "plain" else f"{name}.fa.gz")
    if packing == "plain":
        path.write_bytes(text.encode())
    elif packing == "bgzf":
        with BgzfWriter(str(path), "wb") as packed:
            packed.write(text.encode())
    else:
        path.write_bytes(gzip.compress(text.encode()))
    return path
