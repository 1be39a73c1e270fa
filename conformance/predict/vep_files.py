"""Files in the form of the long-range benchmark: planted ones, and one from ClinVar."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

import caduceus
from caduceus.conformance.data.fasta_files import fasta_text, random_sequence, write_fasta
from caduceus.conformance.predict.models import small
from caduceus.data import Genome, Judge, VariantFile
from caduceus.predict.controls import Starts

HEADER = "chromosome,position,ref,alt,label,tissue,distance_to_nearest_tss"
CONTIGS = {name: random_sequence(700, i, "ACGT") for i, name in enumerate(("1", "2", "3", "9"))}
DISTANCES = (-5, 29_999, 30_000, -100_000, 250_000)


def planted(rows_a_contig: int = 40) -> list[str]:
    """Rows of which those with C or G for the alternate change expression; contig 9 is for testing."""
    rng = np.random.default_rng(5)
    rows = []
    for contig, bases in CONTIGS.items():
        for i, at in enumerate(rng.permutation(np.arange(20, 680))[:rows_a_contig]):
            alt = rng.choice([base for base in "ACGT" if base != bases[at]])
            tissue = ("Liver", "Lung", "Whole_Blood")[i % 3]
            label = int(alt in "CG")
            rows.append(f"chr{contig},{at + 1},{bases[at]},{alt},{label},{tissue},{DISTANCES[i % len(DISTANCES)]}")
    return rows


def write_planted(folder: Path, rows: Sequence[str] | None = None, equivariance: str = "ps") -> None:
    """model/, genome.fa and eqtl.csv."""
    caduceus.save_pretrained(small(equivariance), folder / "model", layout="caduceus")
    write_fasta(folder, fasta_text(CONTIGS))
    (folder / "eqtl.csv").write_text("\n".join([HEADER, *(planted() if rows is None else rows)]) + "\n")


def from_clinvar(data: Path, path: Path, rows: int) -> None:
    """Evenly spaced substitutions of ClinVar's chromosome 20, each in two tissues; pathogenic ones bear the label 1.

    The distances are those to the nearest end of a gene, as the genes come without a strand; what lies in the last
    third of the chromosome is for testing.
    """
    genome = Genome(data / "genomes" / "hg19_chr20.fa.gz")
    starts = Starts(data / "annotation" / "hg19_gencode28_pc_genes_chr20.bed", genome)
    judge = Judge(genome, longest=1)
    file = VariantFile(data / "vep" / "clinvar_2016-09_b37_chr20.csv.gz")
    label = file.columns.index("label")
    known = [(record, judge(record)[0]) for record in file]
    kept = [(record, allele) for record, allele in known if not isinstance(allele, str)]
    lines = [f"{HEADER},split"]
    for record, allele in kept[:: len(kept) // rows][:rows]:
        split = "test" if record.position > 42_000_000 else "train"
        cells = (allele.contig, record.position, allele.ref, allele.alt, record.fields[label])
        for tissue in ("Liver", "Whole_Blood"):
            lines.append(",".join(map(str, (*cells, tissue, int(starts(allele)), split))))
    path.write_text("\n".join(lines) + "\n")
