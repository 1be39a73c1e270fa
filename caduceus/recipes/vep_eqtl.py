"""The recipe of the paper's long-range variant effects, as data (Schiff et al. 2024, section 5.3, Figure 4)."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import Field, field_validator

from caduceus.recipes.asking import Asking
from caduceus.recipes.run_dir import RunFolder
from caduceus.recipes.schema import Results, Seeds
from caduceus.recipes.variant_scoring import Controls
from caduceus.train.settings import Protocol


class VepEqtl(Asking):
    """Which variants change the expression of a gene in a tissue, told by SVMs from embeddings of a frozen model.

    Attributes:
        fasta: the genome.
        variants: a table, CSV, TSV or parquet, with the columns of `caduceus.recipes.vep_table`.
        protocol: "sound", or "official" with the defects that `caduceus.recipes.vep_protocol` lists.
        length: bases of a window; sound reads one base fewer of an even number, so that the window mirrors on itself.
        radius: positions on each side of the allele whose features are averaged.
        test_contigs: whose rows are the test set, where the table has no column split.
        validation: share of the training rows that sound chooses C by, in whole stretches of the genome.
        edges: bases from the start of transcription where one bucket ends and the next begins.
        rows: that an SVM is trained on. seeds: of the draws of those rows. c: the strengths to choose from.
        most_unknown: share of N in a window from which on a variant is left out.
        longest, most_mismatched: as in `VariantScoring`.
        resamples: of the bootstrap intervals.
    """

    done_by = "caduceus.recipes.vep_run"

    task: Literal["vep_eqtl"]
    fasta: str | None = None
    variants: str | None = None
    protocol: Protocol = "sound"
    length: int = Field(default=131_072, gt=0)
    radius: int = Field(default=768, ge=0)
    test_contigs: tuple[str, ...] = ("9", "10")
    validation: float = Field(default=0.1, gt=0, lt=1)
    edges: tuple[int, ...] = Field(default=(30_000, 100_000), min_length=1)
    rows: int = Field(default=5_000, gt=1)
    seeds: Seeds = (1, 2, 3, 4, 5)
    c: tuple[float, ...] = Field(default=(1.0, 5.0, 10.0), min_length=1)
    most_unknown: float = Field(default=0.005, gt=0, le=1)
    longest: int = Field(default=50, gt=0)
    most_mismatched: float = Field(default=0.01, ge=0, le=1)
    resamples: int = Field(default=1_000, gt=0)
    controls: Controls = Controls()

    @field_validator("edges")
    @classmethod
    def _rising(cls, edges: tuple[int, ...]) -> tuple[int, ...]:
        if edges[0] <= 0 or any(a >= b for a, b in pairwise(edges)):
            raise ValueError(f"edges are {edges}, expected rising distances above 0, such as [30000, 100000]")
        return edges

    @field_validator("c")
    @classmethod
    def _positive(cls, c: tuple[float, ...]) -> tuple[float, ...]:
        if min(c) <= 0:
            raise ValueError(f"c holds {min(c)}, expected numbers above 0")
        return c

    @property
    def flank(self) -> int:
        """Bases that are read on each side of an allele's first base; official drops the last of an even length."""
        return self.length // 2 if self.protocol == "official" else (self.length - 1) // 2

    def files(self) -> dict[str, str]:
        return self.found({"fasta": self.fasta, "variants": self.variants}, {"controls.genes": self.controls.genes})

    def summary(self, folder: RunFolder, results: Results) -> str:
        from caduceus.recipes.vep_results import table

        return table(self, folder, results)
