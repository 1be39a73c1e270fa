"""The recipe of scoring every base of regions, as data."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from caduceus.recipes.asking import Asking, Window
from caduceus.recipes.run_dir import REPORT, RunFolder
from caduceus.recipes.schema import Results


class RegionScoring(Asking):
    """Tracks over the regions of a BED file.

    Attributes:
        fasta: the genome. regions: a BED file; regions that overlap or touch are made one.
        window, every, tile: as `caduceus.predict.Tiling`.
        format: bigwig or bedgraph, a file for each track.
    """

    done_by = "caduceus.recipes.score_regions"

    task: Literal["regions"]
    fasta: str | None = None
    regions: str | None = None
    window: Window = 1025
    every: int | None = Field(default=8, ge=2)
    tile: int = Field(default=1024, gt=0)
    format: Literal["bigwig", "bedgraph"] = "bedgraph"

    def files(self) -> dict[str, str]:
        return self.found({"fasta": self.fasta, "regions": self.regions}, {})

    def summary(self, folder: RunFolder, results: Results) -> str:
        means = "; ".join(f"{name} {mean:.4f}" for name, mean in results["mean"].items() if mean is not None)
        found = f"on average {means}" if means else "none of them A, C, G or T, so that there is nothing to score"
        written = "\n".join(f"written     {folder.path / name}" for name in [*results["outputs"], REPORT])
        return f"\n{self.name}: {results['bases']:,} bases; {found}\n{written}"
