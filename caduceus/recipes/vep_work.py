"""The rows that are scored, their alleles, each once, and the models that embed them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from caduceus.data import Allele, Genome, Judge, survey
from caduceus.data.intervals import SPLITS
from caduceus.predict.controls import Starts
from caduceus.predict.models import inner_spec
from caduceus.predict.variant_table import judge_for
from caduceus.recipes.errors import Refused
from caduceus.recipes.prepare import refusing
from caduceus.recipes.vep_buckets import Bucket, buckets, held_out
from caduceus.recipes.vep_embeddings import MODEL, UNTRAINED, AlleleFeatures, header, per_chunk
from caduceus.recipes.vep_eqtl import VepEqtl
from caduceus.recipes.vep_protocol import TissueCodes, kept_by_sampler
from caduceus.recipes.vep_table import TEST, TRAIN, VALID, Snps, read_snps

LEFT_OUT = -1
# Why a row is not scored, besides `caduceus.data.REASONS`.
REASONS = {
    "indel": "an insertion or a deletion, which the official protocol does not know",
    "no_distance": "no distance to a start of transcription is known",
    "no_split": "rows for validation, which the official protocol deletes",
    "dropped": "the last rows of a split, which the official protocol's loader drops",
    "unknown": "too much of the window is N, or its features overflow float16",
}


class Work:
    """Everything before the SVMs; Refused says what is wrong with the input.

    Attributes:
        snps: the rows. survey: of their variants. alleles: each once, in the order of the file.
        allele: (n,) the number of each row's allele; LEFT_OUT without one.
        distance: (n,) float64; split: (n,) TRAIN, VALID, TEST or LEFT_OUT.
        left_out: why rows are left out, by word, and how many.
    """

    def __init__(self, recipe: VepEqtl, files: dict[str, str]) -> None:
        self.recipe = recipe
        with refusing():
            self.model = recipe.load_model()
            self.genome = Genome(files["fasta"])
            genes = files.get("controls.genes")
            self.snps: Snps = read_snps(Path(files["variants"]), recipe.test_contigs, genes is not None)
            judge = self._judge()
            self.survey = survey(self.snps.records, judge, most_mismatched=recipe.most_mismatched)
            self.left_out = Counter(self.survey.reasons)
            self.alleles, self.allele = self._alleles(judge)
            self.distance = self._distances(None if self.snps.told or not genes else Starts(genes, self.genome))
            self.split = np.where(self.allele == LEFT_OUT, LEFT_OUT, self.snps.split)
            self._settle_splits()
            self.tissues = TissueCodes(self._tissues_of(TRAIN, VALID), self._tissues_of(TEST), recipe.protocol)
        planned = self.buckets()
        if all(bucket.problem for bucket in planned):
            raise Refused("no bucket can be scored:\n  " + "\n  ".join(f"{b.name}: {b.problem}" for b in planned))
        self.chunk = per_chunk(recipe.length)
        self.chunks = -(-len(self.alleles) // self.chunk)

    def buckets(self) -> list[Bucket]:
        return buckets(self.recipe, self.split, self.distance, self.snps.labels)

    def rows(self) -> dict[str, int]:
        """How many are in each split."""
        return {name: int((self.split == SPLITS.index(name)).sum()) for name in SPLITS}

    def seen(self) -> int:
        """Variants of test rows that rows for training or validation hold too: a split of the table may share them."""
        tested, read = (self.allele[np.isin(self.split, splits)] for splits in ([TEST], [TRAIN, VALID]))
        return len(np.intersect1d(tested, read))

    def test_contigs(self) -> set[str]:
        """Contigs of the test rows, without the chr that some write before them."""
        return {self.snps.records[i].contig.removeprefix("chr") for i in np.flatnonzero(self.split == TEST)}

    @property
    def outputs(self) -> tuple[str, ...]:
        return (MODEL, UNTRAINED) if self.recipe.controls.untrained else (MODEL,)

    def header(self) -> dict[str, bytes]:
        width = inner_spec(self.model).embedding.d_model
        return dict.fromkeys(self.outputs, header(len(self.alleles), width))

    def pieces(self, first: int) -> Iterator[tuple[dict[str, bytes], int]]:
        """What each chunk adds to the outputs, from chunk ``first`` on, and of how many alleles."""
        models = {MODEL: self.model}
        if UNTRAINED in self.outputs:
            models[UNTRAINED] = self.recipe.untrained(self.model, self.recipe.controls.seed)
        features = {name: AlleleFeatures(model, self.genome, self.recipe) for name, model in models.items()}
        for number in range(first, self.chunks):
            alleles = self.alleles[number * self.chunk : (number + 1) * self.chunk]
            yield {name: of(alleles).tobytes() for name, of in features.items()}, len(alleles)

    def leave_out_unknown(self, embedded: dict[str, np.ndarray]) -> None:
        """Rows of which an embedding is not finite are left out from now on."""
        whole = [all(np.isfinite(array[i]).all() for array in embedded.values()) for i in range(len(self.alleles))]
        finite = np.array([*whole, True])  # the last for LEFT_OUT
        self._leave_out(~finite[self.allele], "unknown")

    def _judge(self) -> Judge:
        flank, longest = self.recipe.flank, self.recipe.longest
        if self.recipe.protocol == "official":
            return Judge(self.genome, longest, margin=flank)
        return judge_for(self.model, self.genome, 2 * flank + 1, longest)

    def _alleles(self, judge: Judge) -> tuple[list[Allele], np.ndarray]:
        """Each allele once, and its number for each row."""
        numbers: dict[Allele, int] = {}
        of_row = np.full(len(self.snps), LEFT_OUT)
        for i, record in enumerate(self.snps.records):
            (allele,) = judge(record)
            if isinstance(allele, str):
                continue
            if self.recipe.protocol == "official" and len(allele.ref) != len(allele.alt):
                self.left_out["indel"] += 1
                continue
            of_row[i] = numbers.setdefault(allele, len(numbers))
        return list(numbers), of_row

    def _distances(self, starts: Starts | None) -> np.ndarray:
        if starts is None:
            return self.snps.distance
        each = np.array([*map(starts, self.alleles), np.nan])  # the last for LEFT_OUT
        return each[self.allele]

    def _settle_splits(self) -> None:
        """Leave out what the protocol leaves out, and hold out validation rows where the table has none."""
        self._leave_out(np.isnan(self.distance), "no_distance")
        if self.recipe.protocol == "official":
            self._leave_out(self.split == VALID, "no_split")
            for each in (TRAIN, TEST):
                rows = np.flatnonzero(self.split == each)
                dropped = np.isin(np.arange(len(self.split)), rows[len(kept_by_sampler(rows)) :])
                self._leave_out(dropped, "dropped")
        elif not (self.split == VALID).any():
            rows = np.flatnonzero(self.split == TRAIN)
            contigs = np.unique([self.alleles[i].contig for i in self.allele[rows]], return_inverse=True)[1]
            starts = np.array([self.alleles[i].start for i in self.allele[rows]], dtype=np.int64)
            self.split[rows[held_out(contigs, starts, self.recipe.validation)]] = VALID

    def _leave_out(self, rows: np.ndarray, why: str) -> None:
        rows = rows & (self.split != LEFT_OUT)
        self.split[rows] = LEFT_OUT
        if rows.any():
            self.left_out[why] += int(rows.sum())

    def _tissues_of(self, *splits: int) -> list[str]:
        return [self.snps.tissues[i] for i in np.flatnonzero(np.isin(self.split, splits))]
