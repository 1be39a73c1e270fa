"""What turns records into lines: the model, its controls, and what is known of a variant besides."""

from __future__ import annotations

from collections.abc import Iterator
from math import nan

from caduceus.data import Allele, Genome, Intervals, Record, VariantFile, survey
from caduceus.data.text import BGZF_END
from caduceus.predict.controls import Composition, Starts
from caduceus.predict.scoring import Score, Scorer, Scoring, copied
from caduceus.predict.variant_table import CHUNK, in_chunks, judge_for
from caduceus.recipes.prepare import refusing
from caduceus.recipes.variant_facts import SplitOf, TruthOf
from caduceus.recipes.variant_scoring import VariantScoring
from caduceus.recipes.variant_text import (
    TABLE_FILE,
    UNTRAINED,
    Values,
    as_bytes,
    table_header,
    table_lines,
    vcf_header,
    vcf_line,
)


class Work:
    """Everything that turns records into text; Refused says what is wrong with the input.

    Attributes:
        survey: of the whole file. chunks: numbers of the chunks of this shard.
    """

    def __init__(self, recipe: VariantScoring, files: dict[str, str]) -> None:
        self.recipe = recipe
        with refusing():
            self.model = recipe.load_model()
            self.genome, self.file = Genome(files["fasta"]), VariantFile(files["variants"])
            scoring = Scoring(recipe.window, recipe.radius, recipe.neighbours, recipe.tokens)
            self.scorer = Scorer(self.model, self.genome, scoring)
            self.judge = judge_for(self.model, self.genome, recipe.window, recipe.longest)
            self.survey = survey(self.file, self.judge, most_mismatched=recipe.most_mismatched)
            self.truth = recipe.truth and TruthOf(recipe.truth, self.file)
            if self.truth:
                self.truth.refuse_none(self.file)
            genes, intervals = files.get("controls.genes"), files.get("intervals")
            self.starts = Starts(genes, self.genome) if genes else None
            self.split = SplitOf(Intervals.read(intervals), self.genome) if intervals else None
        which, count = recipe.part
        total = -(-self.survey.records // CHUNK)
        self.chunks = range(total * which // count, total * (which + 1) // count)

    def begin_scoring(self) -> None:
        """What only scoring needs: the control weights, and the genome's trinucleotides."""
        controls = self.recipe.controls
        self.composition = Composition(self.genome, controls.composition_bases)
        self.untrained: Scorer | None = None
        if controls.untrained:
            fresh = self.recipe.untrained(self.model, controls.seed)
            self.untrained = Scorer(fresh, self.genome, self.scorer.scoring)

    @property
    def outputs(self) -> tuple[str, str]:
        return ("variants.vcf.gz" if self.file.packed else "variants.vcf"), TABLE_FILE

    def records(self, first: int) -> Iterator[list[Record]]:
        """Lists of records, from chunk ``first`` on to the last of this shard."""
        last = min(self.chunks.stop * CHUNK, self.survey.records)
        return in_chunks(self.file.records(first * CHUNK, last))

    def header(self) -> dict[str, bytes]:
        vcf, table = self.outputs
        text = vcf_header(self.file, self.genome, self.survey.unknown)
        return {vcf: as_bytes([text], self.file.packed), table: table_header().encode()}

    def ending(self) -> dict[str, bytes]:
        """What ends each output."""
        vcf, table = self.outputs
        return {vcf: BGZF_END if self.file.packed else b"", table: b""}

    def pieces(self, records: list[Record]) -> dict[str, bytes]:
        """What a chunk adds to each output."""
        judged = [(record, self.judge(record)) for record in records]
        found = iter(self._columns([a for _, each in judged for a in each if isinstance(a, Allele)]))
        pairs = [(record, self._values(record, each, found)) for record, each in judged]
        vcf, table = self.outputs
        return {
            vcf: as_bytes((self._vcf_line(r, v) for r, v in pairs), self.file.packed),
            table: as_bytes((table_lines(r, v) for r, v in pairs), False),
        }

    def _vcf_line(self, record: Record, values: list[Values]) -> str:
        """Contigs of a VCF stay as they are written; a table becomes a VCF of the genome's."""
        if not self.file.is_vcf:
            record = record._replace(contig=self.judge.names.called(record.contig))
        return vcf_line(record, values, self.file.is_vcf)

    def _columns(self, alleles: list[Allele]) -> list[dict[str, float]]:
        """Scores and controls of each allele; copies of the reference are scored in the same go: they share passes."""
        substitutions = [a for a in alleles if len(a.ref) == len(a.alt)]
        scores = self.scorer([*alleles, *map(copied, substitutions)])
        copies = dict(zip(substitutions, scores[len(alleles) :], strict=True))
        fresh = self.untrained(alleles) if self.untrained else [Score()] * len(alleles)
        found = []
        for allele, score, untrained in zip(alleles, scores, fresh, strict=False):
            control = {f"untrained_{name}": getattr(untrained, name) for name in UNTRAINED}
            control["copied_llr"] = copies.get(allele, Score()).llr
            trinucleotide, cpg = self.composition(allele)
            distance = self.starts(allele) if self.starts else nan
            gained = len(allele.alt) - len(allele.ref) or nan
            counted = {"trinucleotide": trinucleotide, "cpg": cpg, "gained": gained, "tss_distance": distance}
            found.append({**score._asdict(), **control, **counted})
        return found

    def _values(self, record: Record, judged: list[Allele | str], columns: Iterator[dict[str, float]]) -> list[Values]:
        """Of each alternate allele of a record; those that are scored take the next of ``columns``."""
        truths = self.truth(record) if self.truth else [nan] * len(record.alts)
        found = []
        for each, truth in zip(judged, truths, strict=True):
            if isinstance(each, str):
                found.append(Values({"truth": truth}, note=each))
            else:
                split = self.split(each) if self.split else ""
                found.append(Values({**next(columns), "truth": truth}, split))
        return found
