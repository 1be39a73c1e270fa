"""The recipe of bits per base of a trained model, as data."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from caduceus.recipes.asking import Asking
from caduceus.recipes.run_dir import RESULTS, RunFolder
from caduceus.recipes.schema import Results


class Evaluation(Asking):
    """Bits per masked base of a trained model on held-out intervals, in windows of several lengths.

    Attributes:
        fasta: the genome. intervals: BED file (contig, start, end, split). split: of it that is asked about.
        lengths: bases of a window, each in its turn.
        mask: share of the bases that are asked for; which, follows from the number of the window alone.
        share: of the windows, evenly spaced.
        control: whether the same network with its initial weights is asked too, in windows of the first length.
        seed: of those weights.
    """

    done_by = "caduceus.recipes.evaluate_model"

    task: Literal["evaluate"]
    fasta: str | None = None
    intervals: str | None = None
    split: Literal["train", "valid", "test"] = "test"
    lengths: tuple[int, ...] = Field(default=(512, 2048, 8192), min_length=1)
    mask: float = Field(default=0.15, gt=0, lt=1)
    share: float = Field(default=1.0, gt=0, le=1)
    control: bool = True
    seed: int = Field(default=0, ge=0, lt=1 << 32)

    def files(self) -> dict[str, str]:
        return self.found({"fasta": self.fasta, "intervals": self.intervals}, {})

    def summary(self, folder: RunFolder, results: Results) -> str:
        lines = [f"\n{self.name}: bits per masked base of {self.split}", "  uniform                2.0000"]
        if results["untrained"]:
            lines.append(f"  untrained              {results['untrained']['all']:.4f}")
        for length, found in results["lengths"].items():
            lines.append(f"  windows of {int(length):>9,}   {found['all']:.4f}   {found['targets']:,} bases")
        return "\n".join([*lines, f"written     {folder.path / RESULTS}"])
