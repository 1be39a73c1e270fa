"""The recipe of mapping loci, as data."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from caduceus.recipes.asking import Asking, Window
from caduceus.recipes.errors import Refused
from caduceus.recipes.run_dir import RunFolder
from caduceus.recipes.schema import Results
from caduceus.recipes.variant_scoring import Controls
from caduceus.train.settings import Settings


class Measured(Settings):
    """Effects of single bases that were measured, such as by a reporter assay, which the maps are held against.

    Attributes:
        file: a table or a VCF of variants on ``fasta``, as `caduceus.data.VariantFile` reads it.
        field: its column, or INFO field, of the effect: below zero where the change lowers what was measured.
        where: column of the table -> value: the rows to take.
        least: column of the table -> the smallest number that it may hold.
        resamples: of the bootstrap, which draws positions.
    """

    file: str = Field(min_length=1)
    field: str = Field(min_length=1)
    where: dict[str, str | int | float] = Field(default_factory=dict)
    least: dict[str, float] = Field(default_factory=dict)
    resamples: int = Field(default=1000, ge=10)


class Mutagenesis(Asking):
    """Maps of loci: every change of every base.

    Attributes:
        fasta: the genome.
        loci: ``contig:start-end``, counted from 1, both ends included, as genome browsers write them.
        regions: a BED file of further loci; its strands mean nothing here, a map is of both.
        window: positions that a base is predicted from, odd.
        gradient: whether to add the gradient, which needs half a window without N on each side of a locus.
        page_bases: that report.html draws, whole loci in their order; the table has all.
        intervals: BED file of what the model was trained on (contig, start, end, split): told of each base.
        controls: as in scoring variants. measured: what to compare with.
    """

    done_by = "caduceus.recipes.map_loci"

    task: Literal["mutagenesis"]
    fasta: str | None = None
    loci: tuple[str, ...] = ()
    regions: str | None = None
    window: Window = 1025
    gradient: bool = True
    page_bases: int = Field(default=10_000, ge=0)
    intervals: str | None = None
    controls: Controls = Controls()
    measured: Measured | None = None

    @field_validator("loci", mode="before")
    @classmethod
    def _listed(cls, given: Any) -> Any:
        """One locus need not be a list, so that a comma in it belongs to its numbers."""
        return (given,) if isinstance(given, str) else () if given is None else given

    def files(self) -> dict[str, str]:
        optional = {
            "regions": self.regions,
            "intervals": self.intervals,
            "controls.genes": self.controls.genes,
            "measured.file": self.measured.file if self.measured else None,
        }
        found = self.found({"fasta": self.fasta}, optional)
        if not (self.loci or self.regions):
            raise Refused(
                f"{self.name} has no loci; give --set loci=chr20:42984160-42984444, or --set regions=FILE.bed"
            )
        return found

    def summary(self, folder: RunFolder, results: Results) -> str:
        from caduceus.recipes.mutagenesis_summary import text

        return text(self, folder, results)
