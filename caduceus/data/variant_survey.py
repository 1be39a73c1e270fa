"""What a file of variants holds, before any of it is scored: counted, and refused where it does not fit the genome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from caduceus.data.genome import Genome
from caduceus.data.variant_files import Record
from caduceus.data.variants import REASONS, Judge

_EXAMPLES = 5


@dataclass
class Survey:
    """What a file of variants holds, as far as a genome is concerned; ``str`` gives a paragraph to print.

    Attributes:
        records: lines. alleles: alternate alleles, those to be scored among them. scored: those.
        reasons: word of `REASONS` -> how many alleles are not scored for it.
        renamed: contigs that the genome calls otherwise. unknown: contigs that it has not.
        unsorted: records that lie before the one above them. repeated: records equal to the one above them.
        examples: the first reference mismatches.
    """

    records: int = 0
    alleles: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    renamed: dict[str, str] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    unsorted: int = 0
    repeated: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def scored(self) -> int:
        return self.alleles - sum(self.reasons.values())

    @property
    def mismatched(self) -> float:
        """Share of mismatches among the alleles whose reference could be compared."""
        compared = self.scored + self.reasons["mismatch"]
        return self.reasons["mismatch"] / compared if compared else 0.0

    def __str__(self) -> str:
        lines = [f"{self.records:,} records, {self.alleles:,} alternate alleles, {self.scored:,} to be scored"]
        lines += [f"{count:,} not: {REASONS[word]}" for word, count in sorted(self.reasons.items())]
        if self.renamed:
            lines.append(
                "contigs of another name: " + ", ".join(f"{a} is {b}" for a, b in sorted(self.renamed.items()))
            )
        if self.unknown:
            lines.append("contigs that the genome has not: " + ", ".join(sorted(self.unknown)[:10]))
        if self.unsorted:
            lines.append(f"{self.unsorted:,} records lie before the one above them: scored all the same, slower")
        if self.repeated:
            lines.append(f"{self.repeated:,} records repeat the one above them")
        return "\n".join(lines)


def survey(records: Iterable[Record], judge: Judge, *, most_mismatched: float = 0.01) -> Survey:
    """Read every record once and say what can be scored.

    Args:
        most_mismatched: largest share of alleles whose reference is not what the genome has.

    Raises:
        ValueError: there are no records, none lies on a contig of the genome, or too many do not match it.
    """
    found = Survey()
    before: Record | None = None
    for record in records:
        found.records += 1
        for alt, judged in zip(record.alts, judge(record), strict=True):
            found.alleles += 1
            if isinstance(judged, str):
                found.reasons[judged] += 1
                if judged == "mismatch" and len(found.examples) < _EXAMPLES:
                    found.examples.append(_mismatch(record, alt, judge))
        if before is not None and before.contig == record.contig:
            found.unsorted += record.position < before.position
            found.repeated += record[1:3] + record[4:6] == before[1:3] + before[4:6]
        before = record
    found.renamed, found.unknown = judge.names.renamed, judge.names.unknown
    _refuse(found, judge.genome, most_mismatched)
    return found


def _refuse(found: Survey, genome: Genome, most_mismatched: float) -> None:
    if not found.records:
        raise ValueError("the file of variants holds no variants")
    if not found.scored and found.reasons["no_contig"]:
        theirs, ours = ", ".join(sorted(found.unknown)[:5]), ", ".join(list(genome.contigs)[:5])
        raise ValueError(
            f"nothing to score lies on a contig of {genome.path.name}: variants are on {theirs}; it has {ours}"
        )
    if found.mismatched > most_mismatched:
        raise ValueError(
            f"{found.reasons['mismatch']:,} alleles ({found.mismatched:.1%}) have another reference than "
            f"{genome.path.name}, at most {most_mismatched:.1%} are allowed: is it the same "
            "assembly, and do positions count from 1? (most_mismatched sets the share.) First:\n  "
            + "\n  ".join(found.examples)
        )


def _mismatch(record: Record, alt: str, judge: Judge) -> str:
    contig = judge.names.called(record.contig)
    start = record.position - 1
    here = judge.bases.fetch(contig, start, start + len(record.ref))
    return f"line {record.line}: {record.contig}:{record.position} {record.ref}>{alt}, the genome has {here}"
