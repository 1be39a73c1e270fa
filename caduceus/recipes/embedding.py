"""The recipe of embedding sequences, as data."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from caduceus.recipes.asking import Asking
from caduceus.recipes.run_dir import REPORT, RunFolder
from caduceus.recipes.schema import Results


class Embedding(Asking):
    """Embeddings of sequences.

    Attributes:
        fasta: a FASTA file: each record is a sequence; with ``regions``, the genome.
        regions: a BED file: each region of ``fasta`` is a sequence.
        table: a CSV or TSV file, in place of ``fasta``; column: the one that holds the sequences.
        layers, pooling, radius, strands: as `caduceus.predict.embed`.
    """

    done_by = "caduceus.recipes.embed_sequences"

    task: Literal["embed"]
    fasta: str | None = None
    regions: str | None = None
    table: str | None = None
    column: str = "sequence"
    layers: tuple[str, ...] = Field(default=("final",), min_length=1)
    pooling: Literal["mean", "max", "centre", "window", "none"] = "mean"
    radius: int = Field(default=16, ge=0)
    strands: Literal["average", "both", "forward", "reverse"] = "average"

    @model_validator(mode="after")
    def _one_source(self) -> Embedding:
        if self.table and (self.fasta or self.regions):
            raise ValueError("give a table, or a fasta with or without regions, not both")
        if len(set(self.layers)) < len(self.layers):
            raise ValueError(f"layers are {', '.join(self.layers)}, expected each once")
        return self

    def files(self) -> dict[str, str]:
        return self.found({"table": self.table} if self.table else {"fasta": self.fasta}, {"regions": self.regions})

    def summary(self, folder: RunFolder, results: Results) -> str:
        columns = ", ".join(f"{name} ({width})" for name, width in results["columns"].items())
        rows = f"{results['rows']:,} rows" + (
            f" of {results['sequences']:,} sequences" if self.pooling == "none" else ""
        )
        written = "\n".join(f"written     {folder.path / name}" for name in (results["output"], REPORT))
        return f"\n{self.name}: {rows}; {columns}\n{written}"
