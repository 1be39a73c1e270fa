"""Which alleles can be scored on a genome, and why the others cannot."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from caduceus.data.genome import Genome
from caduceus.data.variant_files import Record

# Why an allele has no score, by the word that stands in the results.
REASONS = {
    "symbolic": "the alternate allele is symbolic, such as <DEL>: its sequence is not in the file",
    "breakend": "the alternate allele is a breakend, which joins two places",
    "spanning": "the alternate allele is *, a deletion that another record describes",
    "missing": "there is no alternate allele",
    "not_dna": "an allele holds other letters than A, C, G and T",
    "same": "the alternate allele is the reference allele",
    "long": "an allele is longer than the longest that is scored",
    "no_contig": "the genome has no such contig",
    "outside": "the reference allele is not inside the contig",
    "unknown_base": "the genome has N, or another letter than A, C, G and T, where the reference allele lies",
    "mismatch": "the genome has other bases than the reference allele",
    "edge": "the window passes the end of the contig, and the model has mixers that ignore masks",
}
_BLOCK = 1 << 16
_BLOCKS_KEPT = 64


class Allele(NamedTuple):
    """Bases [start, end) of a contig of the genome, counted from 0, and what stands there instead; upper case."""

    contig: str
    start: int
    end: int
    ref: str
    alt: str


class Bases:
    """Bases of a genome in small stretches, the last few kept: records that lie close together read once."""

    def __init__(self, genome: Genome) -> None:
        self.genome = genome
        self._kept: OrderedDict[tuple[str, int], str] = OrderedDict()

    def fetch(self, contig: str, start: int, end: int) -> str:
        """[start, end), upper case; the range must lie inside the contig."""
        first = start // _BLOCK
        text = "".join(self._block(contig, i) for i in range(first, -(-end // _BLOCK)))
        return text[start - first * _BLOCK : end - first * _BLOCK]

    def _block(self, contig: str, number: int) -> str:
        key = (contig, number)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        end = min((number + 1) * _BLOCK, self.genome.contigs[contig])
        text = self.genome.fetch(contig, number * _BLOCK, end).upper()
        self._kept[key] = text
        if len(self._kept) > _BLOCKS_KEPT:
            self._kept.popitem(last=False)
        return text


class ContigNames:
    """What the genome calls the contigs of a file: ``20`` and ``chr20`` are one, and so are ``MT`` and ``chrM``.

    Attributes:
        renamed: name in the file -> name in the genome, for those asked for that differ.
        unknown: names asked for that the genome has not.

    >>> names = ContigNames(["chr20", "chrM"])
    >>> names.find("20"), names.find("MT"), names.find("chr20"), names.find("21")
    ('chr20', 'chrM', 'chr20', None)
    >>> names.renamed, names.unknown
    ({'20': 'chr20', 'MT': 'chrM'}, {'21'})
    """

    def __init__(self, contigs: Iterable[str]) -> None:
        self._known = set(contigs)
        self._by_bare: dict[str, str] = {}
        for name in contigs:
            self._by_bare.setdefault(_bare(name), name)
        self.renamed: dict[str, str] = {}
        self.unknown: set[str] = set()

    def find(self, name: str) -> str | None:
        if name in self._known:
            return name
        found = self._by_bare.get(_bare(name))
        if found is None:
            self.unknown.add(name)
        else:
            self.renamed[name] = found
        return found

    def called(self, name: str) -> str:
        """What the genome calls it, or the name as it is where the genome has no such contig."""
        return self.find(name) or name


def _bare(name: str) -> str:
    bare = name.lower().removeprefix("chr")
    return "mt" if bare == "m" else bare


class Judge:
    """Says for each alternate allele of a record what to score, or a word of `REASONS` why not.

    Args:
        genome: where the records lie.
        longest: bases of the longest allele that is scored.
        margin: bases that the contig must have on each side of an allele.
    """

    def __init__(self, genome: Genome, longest: int, margin: int = 0) -> None:
        self.genome, self.longest, self.margin = genome, longest, margin
        self.names = ContigNames(genome.contigs)
        self.bases = Bases(genome)

    def __call__(self, record: Record) -> list[Allele | str]:
        contig = self.names.find(record.contig)
        place = self._place(record, contig)
        ref = record.ref.upper()
        found: list[Allele | str] = []
        for alt in record.alts:
            reason = self._unreadable(ref, alt) or place
            if reason or contig is None:
                found.append(reason)
            else:
                start = record.position - 1
                found.append(Allele(contig, start, start + len(ref), ref, alt.upper()))
        return found

    def _place(self, record: Record, contig: str | None) -> str:
        if contig is None:
            return "no_contig"
        start = record.position - 1
        end = start + len(record.ref)
        if start < 0 or end > self.genome.contigs[contig]:
            return "outside"
        if len(record.ref) > self.longest:
            return "long"
        here, ref = self.bases.fetch(contig, start, end), record.ref.upper()
        if not _is_dna(here):
            return "unknown_base"
        if here != ref:
            return "mismatch"
        whole = start >= self.margin and end + self.margin <= self.genome.contigs[contig]
        return "" if whole else "edge"

    def _unreadable(self, ref: str, alt: str) -> str:
        if "[" in alt or "]" in alt or (len(alt) > 1 and (alt[0] == "." or alt[-1] == ".")):
            return "breakend"
        if alt.startswith("<"):
            return "symbolic"
        if alt in ("*", "."):
            return "spanning" if alt == "*" else "missing"
        if not (_is_dna(ref) and _is_dna(alt.upper())):
            return "not_dna"
        if ref == alt.upper():
            return "same"
        return "long" if max(len(ref), len(alt)) > self.longest else ""


def _is_dna(text: str) -> bool:
    return not text.strip("ACGT")


def flank_of(window: int) -> int:
    """Bases on each side of a window's middle one.

    >>> flank_of(1025)
    512
    >>> flank_of(1024)
    Traceback (most recent call last):
    ...
    ValueError: window is 1024, expected an odd number, so that it mirrors on itself, such as 1025
    """
    if window < 1 or window % 2 == 0:
        raise ValueError(f"window is {window}, expected an odd number, so that it mirrors on itself, such as 1025")
    return window // 2
