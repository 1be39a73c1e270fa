"""The recipe of scoring variants, as data."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from caduceus.recipes.asking import Asking, Window
from caduceus.recipes.run_dir import RunFolder
from caduceus.recipes.schema import Results
from caduceus.train.settings import Settings


class Truth(Settings):
    """What the scores are held against.

    Attributes:
        field: a column of the table, or an INFO field of the VCF, with a number for each record or each allele.
        above, below: make it a yes, above, or a no, at most below; what lies between does not count. ``below`` alone is
            no use; without ``above``, 0 and 1 are yes and no, and other numbers are compared by rank.
        higher_is: which variants have the higher number: "damaging" ones, or "tolerated" ones, such as common ones.
    """

    field: str = Field(min_length=1)
    above: float | None = None
    below: float | None = None
    higher_is: Literal["damaging", "tolerated"] = "damaging"

    @model_validator(mode="after")
    def _in_order(self) -> Truth:
        if self.below is not None and (self.above is None or self.below > self.above):
            raise ValueError(f"below is {self.below} and above {self.above}, expected an above that is not smaller")
        return self


class Controls(Settings):
    """What is scored beside the model.

    Attributes:
        untrained: score with the initial weights too; it takes a pass for each position.
        seed: of those weights.
        composition_bases: bases of the genome whose trinucleotides are counted, at most.
        genes: a BED file of genes, for the distance to the nearest start of transcription.
    """

    untrained: bool = True
    seed: int = Field(default=0, ge=0, lt=1 << 32)
    composition_bases: int = Field(default=50_000_000, gt=0)
    genes: str | None = None


class AskingOfVariants(Asking):
    """A base: which variants, and what is scored of each.

    Attributes:
        fasta: the genome.
        variants: VCF, or a table with a header.
        window: positions around one base, odd.
        radius: positions on each side that the embedding distance averages over; null: no distance.
        neighbours: positions on each side that the pseudo-log-likelihood sums over; null: none.
        longest: bases of the longest allele that is scored.
        most_mismatched: largest share of alleles whose reference is not what the genome has.
    """

    fasta: str | None = None
    variants: str | None = None
    window: Window = 1025
    radius: int | None = Field(default=16, ge=0)
    neighbours: int | None = Field(default=8, ge=0)
    longest: int = Field(default=50, gt=0)
    most_mismatched: float = Field(default=0.01, ge=0, le=1)


class VariantScoring(AskingOfVariants):
    """Scores of the variants of a file.

    Attributes:
        shard: "i/n": the i-th of n parts; the run folders of all, put together by `join`, are the whole.
        truth: what the scores are held against.
        intervals: BED file of what the model was trained on (contig, start, end, split): reported apart.
        controls: what is scored beside the model.
    """

    done_by = "caduceus.recipes.score_variants"

    task: Literal["variants"]
    shard: str = Field(default="1/1", pattern=r"^[1-9]\d*/[1-9]\d*$")
    truth: Truth | None = None
    intervals: str | None = None
    controls: Controls = Controls()

    @field_validator("shard")
    @classmethod
    def _inside(cls, shard: str) -> str:
        which, count = map(int, shard.split("/"))
        if which > count:
            raise ValueError(f"shard is {shard}, expected 1/{count} to {count}/{count}")
        return shard

    @property
    def part(self) -> tuple[int, int]:
        """Number of the shard, from 0, and how many there are."""
        which, count = map(int, self.shard.split("/"))
        return which - 1, count

    def files(self) -> dict[str, str]:
        optional = {"intervals": self.intervals, "controls.genes": self.controls.genes}
        return self.found({"fasta": self.fasta, "variants": self.variants}, optional)

    def summary(self, folder: RunFolder, results: Results) -> str:
        from caduceus.recipes.variant_summary import table

        return table(self, folder, results)
