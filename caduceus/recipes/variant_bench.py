"""The recipe of timing how variants are scored, as data."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from caduceus.recipes.run_dir import RunFolder
from caduceus.recipes.schema import Results
from caduceus.recipes.variant_scoring import AskingOfVariants


class VariantBench(AskingOfVariants):
    """Times of scoring variants: as `score_variants` does, and one variant after the other.

    Attributes:
        records: that are scored, taken at even distances from the whole file.
        peers: what a loop over variants computes with: a backend, or one whose scan is a loop over positions too, as
            `caduceus.bench.loop` has them.
        rounds: that all take turns in.
    """

    done_by = "caduceus.recipes.time_variants"

    task: Literal["bench_variants"]
    records: int = Field(default=64, gt=0)
    peers: tuple[str, ...] = Field(default=("mamba_loop", "loop", "torch"), min_length=1)
    rounds: int = Field(default=3, gt=0)

    def files(self) -> dict[str, str]:
        return self.found({"fasta": self.fasta, "variants": self.variants}, {})

    def summary(self, folder: RunFolder, results: Results) -> str:
        from caduceus.recipes.time_variants import summary

        return summary(self, folder, results)
