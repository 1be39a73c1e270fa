"""Files of variants: every form gives the same records, and what is malformed or awkward gets a clear answer."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from Bio.bgzf import BgzfBlocks

from caduceus.conformance.predict.conftest import CONTIGS
from caduceus.conformance.predict.variant_files import HEADER, csv_text, vcf_text, write_variants
from caduceus.data import REASONS, Allele, Genome, Judge, VariantFile, survey

ROWS = [("chr1", 100, "A", "C"), ("chr1", 100, "A", "G"), ("chr2", 5, "AC", "A"), ("X", 7, "G", "<DEL>")]


def columns(path: Path) -> list[tuple[str, int, str, tuple[str, ...]]]:
    return [(r.contig, r.position, r.ref, r.alts) for r in VariantFile(path)]


FORMS = {
    "vcf": ("v.vcf", vcf_text(ROWS)),
    "vcf, CRLF": ("v.vcf", vcf_text(ROWS, newline="\r\n")),
    "vcf, gzip": ("v.vcf.gz", vcf_text(ROWS)),
    "vcf, bgzip": ("v.vcf.bgz", vcf_text(ROWS)),
    "vcf, no end of line": ("v.vcf", vcf_text(ROWS).rstrip("\n")),
    "vcf, blank lines": ("v.vcf", vcf_text(ROWS) + "\n\n"),
    "vcf without ##fileformat": ("v.vcf", vcf_text(ROWS, HEADER[1:])),
    "csv": ("v.csv", csv_text(ROWS)),
    "csv, other names in another order": (
        "v.csv",
        "REF,Position,Alternate,label,Chr\n" + "".join(f"{r},{p},{a},1,{c}\n" for c, p, r, a in ROWS),
    ),
    "csv, byte order mark": ("v.csv", "\ufeff" + csv_text(ROWS)),
    "tsv, gzip": ("v.tsv.gz", csv_text(ROWS).replace(",", "\t")),
    "semicolons": ("v.csv", csv_text(ROWS).replace(",", ";")),
    "csv, a semicolon in a name": ("v.csv", csv_text([(*r[:3], f"{r[3]},x") for r in ROWS], "chrom,pos,ref,alt,a;b")),
    "csv, a long field": (
        "v.csv",
        csv_text([(*row[:3], f"{row[3]},{'x' * 200_000}") for row in ROWS], "chrom,pos,ref,alt,note"),
    ),
    "tsv with a hash": ("v.tsv", csv_text(ROWS, "#CHROM,POS,REF,ALT").replace(",", "\t")),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_records(folder: Path, form: str) -> None:
    name, text = FORMS[form]
    found = columns(write_variants(folder, text, name))
    assert found == [(contig, position, ref, (alt,)) for contig, position, ref, alt in ROWS]


MALFORMED = {
    "empty": ("v.vcf", "", "as a table it lacks chrom, pos, ref, alt: its first line holds nothing"),
    "prose": ("v.vcf", "Dear reader\n", "lacks chrom, pos, ref, alt: its first line holds Dear reader"),
    "bcf": ("v.bcf", "BCF\2\2junk", "is BCF, expected VCF; convert it by: bcftools view"),
    "vcf without column names": ("v.vcf", HEADER[0] + "\nchr1\t1\t.\tA\tC\t.\t.\t.\n", "has no line #CHROM POS ID"),
    "column names with spaces": ("v.vcf", vcf_text([], (HEADER[0], HEADER[1].replace("\t", " "))), "separated by tabs"),
    "no records": ("v.vcf", vcf_text([]), "holds no variants"),
    "table without ref": ("v.csv", "chrom,pos,alt\nchr1,5,A\n", "lacks ref: its first line holds chrom, pos, alt"),
    "spaces for tabs": ("v.vcf", vcf_text([]) + "chr1 1 . A C . . .\n", "line 3: 1 fields, expected 8, .*not spaces"),
    "a line cut short": ("v.vcf", vcf_text(ROWS)[:-6], "line 6: 7 fields, expected 8"),
    "a position in words": ("v.csv", csv_text([*ROWS, ("chr1", "ten", "A", "C")]), "line 6: the position is 'ten'"),
    "a negative position": ("v.csv", csv_text([("chr1", -4, "A", "C")]), "line 2: the position is '-4'"),
    "a position with commas": ("v.tsv", "chrom\tpos\tref\talt\nchr1\t1,000\tA\tC\n", "the position is '1,000'"),
    "lines that end with CR": ("v.csv", csv_text(ROWS).replace("\n", "\r"), r"v\.csv ends its lines with CR alone"),
    "a vcf whose lines end with CR": (
        "v.vcf",
        vcf_text(ROWS).replace("\n", "\r"),
        r"v\.vcf ends its lines with CR alone",
    ),
    "a CR within a line": ("v.csv", csv_text([*ROWS, ("chr1", 4, "A", "C\rG")]), "line 6: new-line character"),
    "a sample too few": (
        "v.vcf",
        vcf_text([("chr1", 4, "A", "C")], (HEADER[0], HEADER[1] + "\tFORMAT\tone\ttwo"))[:-1] + "\tGT\t0/1\n",
        "line 3: 10 fields, expected 11",
    ),
    "a field too many": ("v.vcf", vcf_text([("chr1", 4, "A", "C")])[:-1] + "\tGT\n", "line 3: 9 fields, expected 8"),
    "an empty allele": ("v.vcf", vcf_text([("chr1", 4, "A", "C,")]), "line 3: alt 'C,' has an empty allele"),
    "a space in an allele": ("v.csv", csv_text([("chr1", 4, "A C", "C")]), "line 2: ref is 'A C', expected no spaces"),
    "no reference allele": ("v.csv", csv_text([("chr1", 4, "", "C")]), "line 2: ref is empty"),
}


@pytest.mark.parametrize("which", MALFORMED)
def test_malformed_files_are_refused_with_the_reason(folder: Path, genome: Genome, which: str) -> None:
    name, text, message = MALFORMED[which]
    path = write_variants(folder, text, name)
    with pytest.raises(ValueError, match=message):
        survey(VariantFile(path), Judge(genome, 50))


def test_a_missing_and_a_damaged_file(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no variants at .*nowhere\.vcf"):
        VariantFile("nowhere.vcf")
    path = write_variants(folder, vcf_text([("chr1", i + 1, "A", "C") for i in range(4000)]), "v.vcf.gz")
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ValueError, match=r"v\.vcf\.gz is cut off or damaged"):
        list(VariantFile(path))


@pytest.mark.parametrize(("pack", "what"), [(bz2.compress, "bzip2"), (lzma.compress, "xz")])
def test_other_packing_is_named(folder: Path, pack: Callable[[bytes], bytes], what: str) -> None:
    (folder / "v.vcf").write_bytes(pack(vcf_text(ROWS).encode()))
    with pytest.raises(ValueError, match=f"is packed with {what}, expected plain text, BGZF or gzip"):
        VariantFile(folder / "v.vcf")


def test_whole_blocks_that_are_missing_are_noticed(folder: Path) -> None:
    """Every reader of gzip takes what is left for the whole."""
    path = write_variants(folder, vcf_text([("chr1", i + 1, "A", "C") for i in range(4000)]), "v.vcf.bgz")
    with path.open("rb") as file:
        blocks = [start for start, *_ in BgzfBlocks(file)]
    path.write_bytes(path.read_bytes()[: blocks[1]])
    assert gzip.decompress(path.read_bytes()).startswith(b"##fileformat")
    with pytest.raises(ValueError, match=r"v\.vcf\.bgz is cut off: it lacks the block that ends a BGZF file"):
        VariantFile(path)


def test_bytes_that_are_no_utf8_survive(folder: Path) -> None:
    path = folder / "v.vcf"
    path.write_bytes(vcf_text([]).encode() + b"chr1\t1\tm\xfcll\tA\tC\t.\t.\tX=1\n")
    (record,) = VariantFile(path)
    assert "\t".join(record.fields).encode("utf-8", "surrogateescape").split(b"\t")[2] == b"m\xfcll"


def base(contig: str, position: int) -> str:
    return CONTIGS[contig][position - 1].upper()


def other(contig: str, position: int) -> str:
    return "CGTA"["ACGT".index(base(contig, position))]


# (contig, position, ref, alt) -> what becomes of it: a word of REASONS, or None where it is scored.
AWKWARD = {
    "deletion, symbolic": (("chr1", 9, base("chr1", 9), "<DEL>"), "symbolic"),
    "breakend to another place": (("chr1", 9, base("chr1", 9), "A]chr2:50]"), "breakend"),
    "breakend, single": (("chr1", 9, base("chr1", 9), "A."), "breakend"),
    "deletion that another record describes": (("chr1", 9, base("chr1", 9), "*"), "spanning"),
    "no alternate": (("chr1", 9, base("chr1", 9), "."), "missing"),
    "letters of IUPAC": (("chr1", 9, base("chr1", 9), "R"), "not_dna"),
    "N as the alternate": (("chr1", 9, base("chr1", 9), "N"), "not_dna"),
    "alternate is the reference": (("chr1", 9, base("chr1", 9), base("chr1", 9).lower()), "same"),
    "too long an insertion": (("chr1", 9, base("chr1", 9), "ACGT" * 20), "long"),
    "too long a deletion": (("chr1", 9, CONTIGS["chr1"][8:90], base("chr1", 9)), "long"),
    "no such contig": (("chr9", 9, "A", "C"), "no_contig"),
    "position 0, a telomere": (("chr1", 0, "A", "C"), "outside"),
    "behind the end": (("chr1", 3001, "A", "C"), "outside"),
    "reaching over the end": (("chr1", 3000, base("chr1", 3000) + "A", "C"), "outside"),
    "N in the genome": (("chr2", 9, "A", "C"), "unknown_base"),
    "R in the genome": (("chr2", 443, "A", "C"), "unknown_base"),
    "another base in the genome": (("chr1", 9, other("chr1", 9), base("chr1", 9)), "mismatch"),
    "lower case in the file": (("chr1", 9, base("chr1", 9).lower(), other("chr1", 9).lower()), None),
    "lower case in the genome": (("chr2", 50, base("chr2", 50), other("chr2", 50)), None),
    "the first base": (("chr1", 1, base("chr1", 1), other("chr1", 1)), None),
    "the last base": (("chr1", 3000, base("chr1", 3000), other("chr1", 3000)), None),
    "a contig without chr": (("1", 9, base("chr1", 9), other("chr1", 9)), None),
    "the mitochondrion by its other name": (("MT", 9, base("chrM", 9), other("chrM", 9)), None),
}


@pytest.mark.parametrize("which", AWKWARD)
def test_awkward_alleles_get_the_stated_answer(folder: Path, genome: Genome, which: str) -> None:
    row, expected = AWKWARD[which]
    (record,) = VariantFile(write_variants(folder, vcf_text([row])))
    (found,) = Judge(genome, 50)(record)
    if expected is not None:
        assert found == expected
        assert found in REASONS
    else:
        assert isinstance(found, Allele)
        assert genome.fetch(found.contig, found.start, found.end).upper() == found.ref == row[2].upper()


def test_each_allele_of_a_record_is_judged_by_itself(folder: Path, genome: Genome) -> None:
    ref, alt = base("chr1", 9), other("chr1", 9)
    (record,) = VariantFile(write_variants(folder, vcf_text([("chr1", 9, ref, f"{alt},*,<INS>,{ref}A")])))
    first, *between, last = Judge(genome, 50)(record)
    assert between == ["spanning", "symbolic"]
    assert [first, last] == [Allele("chr1", 8, 9, ref, alt), Allele("chr1", 8, 9, ref, f"{ref}A")]


def test_a_survey_counts_and_says(folder: Path, genome: Genome) -> None:
    snv = ("1", 9, base("chr1", 9), other("chr1", 9))
    wrong = ("1", 5, other("chr1", 5), base("chr1", 5))
    rows = [snv, snv, wrong, ("decoy", 1, "A", "C"), *(("1", i, base("chr1", i), "<DEL>") for i in range(10, 13))]
    path = write_variants(folder, vcf_text(rows))
    found = survey(VariantFile(path), Judge(genome, 50), most_mismatched=0.5)
    assert (found.records, found.alleles, found.scored, found.unsorted, found.repeated) == (7, 7, 2, 1, 1)
    assert found.reasons == {"mismatch": 1, "no_contig": 1, "symbolic": 3}
    assert found.mismatched == pytest.approx(1 / 3)
    for text in ("1 is chr1", "contigs that the genome has not: decoy", "7 records, 7 alternate alleles, 2 to be"):
        assert text in str(found)
    where = re.escape(f"line 5: 1:5 {wrong[2]}>{wrong[3]}, the genome has {base('chr1', 5)}")
    with pytest.raises(ValueError, match=rf"1 alleles \(33.3%\).*at most 1.0% are allowed(.|\n)*{where}"):
        survey(VariantFile(path), Judge(genome, 50))


def test_a_file_of_another_organism_is_refused(folder: Path, genome: Genome) -> None:
    path = write_variants(folder, vcf_text([("2L", 9, "A", "C"), ("3R", 9, "A", "C")]))
    with pytest.raises(ValueError, match="variants are on 2L, 3R; it has chr1, chr2, chrM"):
        survey(VariantFile(path), Judge(genome, 50))


def test_a_file_with_wrong_names_and_a_record_without_alternate_is_refused(folder: Path, genome: Genome) -> None:
    path = write_variants(folder, vcf_text([("NC_1", 9, "A", "C"), ("NC_1", 10, "A", ".")]))
    with pytest.raises(ValueError, match=r"nothing to score lies on a contig of genome\.fa: variants are on NC_1"):
        survey(VariantFile(path), Judge(genome, 50))


def test_comments_above_a_table(folder: Path) -> None:
    path = write_variants(folder, "## made by me\n" + csv_text([("chr1", 4, "A", "C")]), "v.csv")
    assert [(record.line, record.position) for record in VariantFile(path)] == [(3, 4)]


def test_memory_does_not_grow_with_the_file(folder: Path, genome: Genome) -> None:
    def peak(records: int) -> int:
        lines = (f"chr1\t{i % 3000 + 1}\t.\tA\tC\t.\tPASS\t.\n" for i in range(records))
        path = folder / "many.vcf.gz"
        with gzip.open(path, "wt") as file:
            file.writelines([vcf_text([]), *lines])
        tracemalloc.start()
        survey(VariantFile(path), Judge(genome, 50), most_mismatched=1.0)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(20_000) < 1.2 * peak(4_000)


def test_records_from_any_place_on(folder: Path) -> None:
    rows = [("chr1", i + 1, "A", "C") for i in range(50)]
    file = VariantFile(write_variants(folder, vcf_text(rows), "v.vcf.gz"))
    everything = list(file)
    assert [list(file.records(7, 19)), list(file.records(48))] == [everything[7:19], everything[48:]]


def test_real_variants_lie_on_the_real_chromosome(data_folder: Path) -> None:
    genome = Genome(data_folder / "genomes" / "hg19_chr20.fa.gz")
    clinvar = survey(VariantFile(data_folder / "vep" / "clinvar_2016-09_b37_chr20.csv.gz"), Judge(genome, 50))
    assert (clinvar.records, clinvar.reasons["mismatch"], clinvar.unknown) == (1155, 0, set())
    thousand = VariantFile(data_folder / "vep" / "kgp3_chr20_1Mb.vcf.gz")
    found = survey(thousand.records(0, 2000), Judge(genome, 50))
    assert (found.records, found.reasons["mismatch"]) == (2000, 0)
