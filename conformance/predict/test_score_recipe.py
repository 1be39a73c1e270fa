"""The recipe: one run, a run that is killed again and again, and shards put together give the same bytes."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from Bio.bgzf import BgzfWriter

import caduceus
from caduceus.conformance.predict.conftest import CONTIGS
from caduceus.conformance.predict.models import small
from caduceus.conformance.predict.variant_files import HEADER, csv_text, vcf_text, write_variants
from caduceus.data import VariantFile
from caduceus.data.text import BGZF_END
from caduceus.predict import Score, Scoring, score_variants
from caduceus.predict import variant_table as tables
from caduceus.recipes import score_variants as scoring
from caduceus.recipes import variant_text
from caduceus.recipes import variant_work as working
from caduceus.recipes.__main__ import main
from caduceus.recipes.variant_facts import TruthOf
from caduceus.recipes.variant_scoring import Truth
from caduceus.recipes.variant_text import as_bytes

Run = Callable[..., int]
CHUNK = 8
WHICH = ("model", "fasta", "variants")


def substitutions(count: int) -> list[tuple[str, int, str, str]]:
    bases = CONTIGS["chr1"]
    places = [(37 * i) % 2900 + 1 for i in range(count)]
    return [("1", p, bases[p - 1], "CGTA"["ACGT".index(bases[p - 1])]) for p in places]


ROWS = [*substitutions(60), ("1", 11, CONTIGS["chr1"][10], "<DEL>"), ("1", 11, CONTIGS["chr1"][10], "ACGT,*")]


@pytest.fixture
def score(folder: Path, genome: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``score("out", "variants.vcf", "shard=1/2")``: the command line in this process; its exit status."""
    for module in (tables, scoring, working):
        monkeypatch.setattr(module, "CHUNK", CHUNK)
    monkeypatch.setattr(tables.in_chunks, "__defaults__", (CHUNK,))
    caduceus.save_pretrained(small(), folder / "model", layout="caduceus")

    def run(out: str, variants: str, *options: str) -> int:
        given = ("model=model", "fasta=genome.fa", f"variants={variants}", "window=33", "radius=4", "neighbours=2")
        sets = [text for option in (*given, "backend=torch", *options) for text in ("--set", option)]
        return main(["run", "score_variants", *sets, "--out", out])

    return run


def outputs(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(run.glob("variants.*"))}


def unpacked(run: Path) -> bytes:
    return gzip.decompress((run / "variants.vcf.gz").read_bytes())


def rows_of(run: Path) -> list[dict[str, str]]:
    with (run / "variants.tsv").open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_scores_are_those_of_the_function_and_every_line_comes_through(folder: Path, genome: Any, score: Run) -> None:
    write_variants(folder, vcf_text(ROWS, [HEADER[0], "##source=me", HEADER[1]]))
    assert score("out", "variants.vcf") == 0
    rows = rows_of(folder / "out")
    table = score_variants(small(), genome, "variants.vcf", scoring=Scoring(window=33, radius=4, neighbours=2))
    assert [row["note"] for row in rows] == table["note"].tolist()
    for name in Score._fields:
        found = [float(row[name] or "nan") for row in rows]
        np.testing.assert_allclose(found, table[name], rtol=1e-4, atol=1e-5)
    assert {row["copied_llr"] for row in rows if row["llr"]} == {"0"}
    for own in ("llr", "distance", "pll_mean"):
        assert [bool(row[f"untrained_{own}"]) for row in rows] == [bool(row[own]) for row in rows]
        assert any(row[f"untrained_{own}"] != row[own] for row in rows)
    assert all(
        row["untrained_llr"] and row["trinucleotide"] and row["cpg"]
        for row in rows
        if row["llr"] and row["position"] != "1"
    )
    file = VariantFile(folder / "out" / "variants.vcf")
    assert file.header[:2] == (HEADER[0], "##source=me")
    before, after = list(VariantFile(folder / "variants.vcf")), list(file)
    assert [r.fields[:7] for r in before] == [r.fields[:7] for r in after]
    assert all(r.fields[7].startswith("AC=1;CADUCEUS_") for r in after)
    declared = set(re.findall(r"ID=(CADUCEUS_\w+),Number=A", "\n".join(file.header)))
    assert {name for r in after for name in re.findall(r"(CADUCEUS_\w+)=", r.fields[7])} <= declared
    assert "CADUCEUS_NOTE=.,spanning" in after[-1].fields[7]
    assert "CADUCEUS_NOTE=symbolic" in after[-2].fields[7]


def test_a_scored_file_scored_again_is_the_same(folder: Path, score: Run) -> None:
    write_variants(folder, vcf_text(ROWS))
    assert score("out", "variants.vcf") == 0
    (folder / "again.vcf").write_bytes(outputs(folder / "out")["variants.vcf"])
    assert score("again", "again.vcf") == 0
    assert outputs(folder / "again") == outputs(folder / "out")


PARTS = ("part1", "part2", "part3")


@pytest.mark.parametrize("name", ["variants.vcf", "variants.vcf.gz", "variants.csv"])
def test_shards_put_together_are_the_whole(folder: Path, score: Run, name: str) -> None:
    write_variants(folder, csv_text(ROWS[:-1]) if name.endswith("csv") else vcf_text(ROWS), name)
    assert score("whole", name) == 0
    for i in (3, 1, 2):
        assert score(f"part{i}", name, f"shard={i}/3") == 0
    assert main(["join", "joined", "part2", "part1", "part3"]) == 0
    assert outputs(folder / "joined") == outputs(folder / "whole")
    whole, joined = ((folder / run / "recipe.yaml").read_text() for run in ("whole", "joined"))
    assert joined == whole
    where, *each = (json.loads((folder / run / "environment.json").read_text()) for run in ("joined", *PARTS))
    assert where["data"] == each[0]["data"]
    assert [shard | {"data": where["data"]} for shard in where["shards"]] == each
    assert len(list(VariantFile(folder / "joined" / next(iter(sorted(outputs(folder / "joined"))[1:]))))) == len(
        list(VariantFile(folder / name))
    )


def test_shards_of_other_machines_join_as_they_are(folder: Path, score: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files lie elsewhere there, and what packs them is another deflate."""
    write_variants(folder, vcf_text(ROWS), "variants.vcf.gz")
    assert score("whole", "variants.vcf.gz", "truth.field=AC") == 0
    assert score("part1", "variants.vcf.gz", "truth.field=AC", "shard=1/2") == 0
    there = folder / "there"
    there.mkdir()
    for name in ("variants.vcf.gz", "genome.fa", "model"):
        (folder / name).rename(there / name)
    moved = (f"{name}=there/{file}" for name, file in (("model", "model"), ("fasta", "genome.fa")))
    with monkeypatch.context() as patch:
        patch.setattr(variant_text, "BgzfWriter", partial(BgzfWriter, compresslevel=1))
        assert score("part2", "there/variants.vcf.gz", "truth.field=AC", "shard=2/2", "threads=1", *moved) == 0
    assert main(["join", "joined", "part1", "part2"]) == 0
    whole, joined = folder / "whole", folder / "joined"
    assert unpacked(joined) == unpacked(whole)
    assert (joined / "variants.tsv").read_bytes() == (whole / "variants.tsv").read_bytes()
    results = [json.loads((run / "results.json").read_text()) for run in (whole, joined)]
    assert results[0]["ranking"] == results[1]["ranking"]
    assert results[0]["records_of_shard"] == results[1]["records_of_shard"] == len(ROWS)
    assert "62" in (joined / "report.html").read_text()


def test_only_what_shards_wrote_is_joined(folder: Path, score: Run, capsys: Any) -> None:
    """An index beside them is no part; what was packed anew or is gone is refused, and so is to write over a shard."""
    write_variants(folder, vcf_text(ROWS), "variants.vcf.gz")
    assert score("whole", "variants.vcf.gz") == 0
    for i in (1, 2):
        assert score(f"part{i}", "variants.vcf.gz", f"shard={i}/2") == 0
    (folder / "part1" / "variants.vcf.gz.tbi").write_bytes(b"index")
    assert main(["join", "joined", "part1", "part2"]) == 0
    assert outputs(folder / "joined") == outputs(folder / "whole")
    capsys.readouterr()
    assert main(["join", "part1", "part1", "part2"]) == 2
    assert "part1 is one of the shards" in capsys.readouterr().err
    packed = folder / "part2" / "variants.vcf.gz"
    with BgzfWriter(str(folder / "anew"), "wb") as file:
        file.write(gzip.decompress(packed.read_bytes()))
    (folder / "anew").replace(packed)
    assert main(["join", "again", "part1", "part2"]) == 2
    assert "variants.vcf.gz was packed anew" in capsys.readouterr().err
    packed.rename(folder / "part2" / "variants.vcf")
    assert main(["join", "again", "part1", "part2"]) == 2
    assert "there is no part2/variants.vcf.gz, which the run wrote" in capsys.readouterr().err
    assert not (folder / "again").exists()


def test_shards_of_other_data_are_not_joined(folder: Path, score: Run, capsys: Any) -> None:
    write_variants(folder, vcf_text(ROWS))
    assert score("a", "variants.vcf", "shard=1/2") == 0
    write_variants(folder, vcf_text(ROWS[::-1]))
    assert score("b", "variants.vcf", "shard=2/2") == 0
    assert main(["join", "joined", "a", "b"]) == 2
    assert "b differs from a in variants: they are not parts of one run" in capsys.readouterr().err


def test_a_finished_run_is_not_shown_for_another_file(folder: Path, score: Run, capsys: Any) -> None:
    write_variants(folder, vcf_text(ROWS))
    assert score("out", "variants.vcf") == 0
    assert score("out", "variants.vcf") == 0
    time.sleep(0.02)  # clocks of file systems are coarse
    write_variants(folder, vcf_text(ROWS))
    assert score("out", "variants.vcf") == 0, "written anew, with the same content"
    write_variants(folder, vcf_text(ROWS[1:]))
    capsys.readouterr()
    assert score("out", "variants.vcf") == 2
    assert "began with another variants (its sha256 differs)" in capsys.readouterr().err


def test_a_truth_of_which_there_is_none_is_refused(folder: Path, score: Run, capsys: Any) -> None:
    write_variants(folder, vcf_text(ROWS))
    assert score("out", "variants.vcf", "truth.field=af") == 2
    assert "has no number in 'af', given as truth.field; line 3 has 'AC=1'" in capsys.readouterr().err
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("value", "expected"), [("0.4", [0.4, 0.4]), ("0.1,0.2", [0.1, 0.2]), ("0.7,0.1,0.2", [0.1, 0.2]), ("1,2,3,4", [])]
)
def test_numbers_of_alleles_and_of_the_reference(folder: Path, value: str, expected: list[float]) -> None:
    line = f"chr1\t5\t.\tA\tC,G\t.\t.\tDP=9;X={value}\n"
    file = VariantFile(write_variants(folder, vcf_text([]) + line))
    found = TruthOf(Truth(field="X"), file)(next(iter(file)))
    assert [number for number in found if number == number] == expected


def test_a_table_becomes_a_vcf_of_the_genomes_contigs(folder: Path, score: Run) -> None:
    write_variants(folder, csv_text(ROWS[:3]), "variants.csv")
    assert score("out", "variants.csv") == 0
    file = VariantFile(folder / "out" / "variants.vcf")
    assert {record.contig for record in file} == {"chr1"}
    assert any(line.startswith("##contig=<ID=chr1,") for line in file.header)


def test_what_a_vcf_cannot_hold_stays_in_the_table(folder: Path, score: Run) -> None:
    base = CONTIGS["chr1"][9]
    text = csv_text([("chr1", 10, base, "-"), ("elsewhere", 5, "-", "A")], "chrom,pos,ref,alt,name")
    write_variants(folder, text.replace(",-\n", ",-,my\tgene 2\n").replace("-,A\n", "-,A,b\n"), "variants.csv")
    assert score("out", "variants.csv") == 0
    file = VariantFile(folder / "out" / "variants.vcf")
    assert [(r.id, r.ref, r.alts) for r in file] == [("my_gene_2", base, ("N",)), ("b", "N", ("A",))]
    assert "##contig=<ID=elsewhere>" in file.header
    rows = rows_of(folder / "out")
    assert [(row["id"], row["ref"], row["alt"]) for row in rows] == [("my gene 2", base, "-"), ("b", "-", "A")]
    assert [row["note"] for row in rows] == ["not_dna", "not_dna"]


def test_fields_of_the_users_own_stay(folder: Path, score: Run, capsys: Any) -> None:
    mine = '##INFO=<ID=CADUCEUS_MINE,Number=1,Type=String,Description="mine">'
    text = vcf_text(ROWS[:1], [HEADER[0], mine, HEADER[1]]).replace("AC=1", "CADUCEUS_MINE=hello;CADUCEUS_LLR=7")
    write_variants(folder, text)
    assert score("out", "variants.vcf") == 0
    assert "are replaced" not in capsys.readouterr().out
    file = VariantFile(folder / "out" / "variants.vcf")
    assert mine in file.header
    (record,) = file
    assert record.fields[7].startswith("CADUCEUS_MINE=hello;CADUCEUS_LLR=")
    assert "CADUCEUS_LLR=7" not in record.fields[7].split(";")
    (folder / "again.vcf").write_bytes(file.path.read_bytes())
    assert score("again", "again.vcf") == 0
    assert "the scores that the file holds, of an earlier run, are replaced" in capsys.readouterr().out


def test_full_blocks_do_not_end_a_file_in_its_midst() -> None:
    packed = as_bytes(["A" * 65536], True)
    assert BGZF_END not in packed
    assert gzip.decompress(packed + as_bytes(["C\n"], True) + BGZF_END) == b"A" * 65536 + b"C\n"


def test_shard_is_a_word_of_the_command_line_where_a_recipe_has_parts(folder: Path, score: Run, capsys: Any) -> None:
    write_variants(folder, vcf_text(ROWS))
    assert score("set", "variants.vcf", "shard=2/3") == 0
    for out in ("word", "set"):  # the same run: the second is finished
        assert main(["run", "set/recipe.yaml", "--shard", "2/3", "--out", out]) == 0
    assert outputs(folder / "word") == outputs(folder / "set")
    capsys.readouterr()
    assert main(["check", "set/recipe.yaml", "--shard", "3/3"]) == 0
    assert "shard 3/3: 3 of 8 chunks" in capsys.readouterr().out
    refused = {
        ("set/recipe.yaml", "4/3"): "shard is 4/3, expected 1/3 to 3/3",
        ("embed", "1/2"): "embed is of task embed, which is not done in parts: it has no field shard",
    }
    for (name, shard), message in refused.items():
        assert main(["run", name, "--shard", shard, "--out", "none"]) == 2
        assert message in capsys.readouterr().err


def test_shards_that_are_not_parts_of_one_run_are_refused(folder: Path, score: Run, capsys: Any) -> None:
    write_variants(folder, vcf_text(ROWS))
    assert score("a", "variants.vcf", "shard=1/2") == 0
    assert score("b", "variants.vcf", "shard=2/2", "longest=9") == 0
    for runs, message in {
        ("a",): "shards 2/2 are missing",
        ("a", "a"): "shard 1/2 is given twice",
        ("a", "b"): "b differs from a in longest",
        ("a", "nowhere"): "nowhere holds no finished run",
    }.items():
        assert main(["join", "joined", *runs]) == 2
        assert message in capsys.readouterr().err
    assert not list(folder.glob("joined/*"))


def test_a_signal_stops_between_chunks_and_the_same_command_continues(
    folder: Path, score: Run, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    write_variants(folder, vcf_text(ROWS))
    assert score("whole", "variants.vcf") == 0
    original = working.Work.pieces
    calls = []

    def interrupt(self: Any, records: Any) -> Any:
        calls.append(len(records))
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, records)

    monkeypatch.setattr(working.Work, "pieces", interrupt)
    capsys.readouterr()
    assert score("parts", "variants.vcf") == 143
    assert "stopped after 24 of 62 records; the same command continues" in capsys.readouterr().err
    assert not outputs(folder / "parts")
    assert score("parts", "variants.vcf") == 0
    assert "continuing from record 25" in capsys.readouterr().out
    assert sum(calls) == len(ROWS)
    assert outputs(folder / "parts") == outputs(folder / "whole")
    assert not list((folder / "parts").glob(".*"))


# Imports once, then forks a run, kills it three chunks on, and forks the next; before the last, half a line is left.
KILLING = """
import json, os, signal, sys, time
from pathlib import Path
import torch
from caduceus.predict import variant_table as tables
from caduceus.recipes import score_variants as scoring, variant_work as working
from caduceus.recipes.__main__ import main

tables.CHUNK = scoring.CHUNK = working.CHUNK = CHUNK
tables.in_chunks.__defaults__ = (CHUNK,)
journal, part = Path("parts/progress.json"), Path("parts/.variants.tsv.growing")

def begin():
    pid = os.fork()
    if pid == 0:
        torch.set_num_threads(1)
        os._exit(main(["run", "whole/recipe.yaml", "--out", "parts"]))
    return pid

def done():
    return json.loads(journal.read_text())["done"] if journal.is_file() else 0

for _ in range(5):
    pid, before = begin(), done()
    while done() < before + 3:
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    assert not list(Path("parts").glob("variants.*")), "a half-written file has its final name"
part.open("ab").write(b"half a li")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(begin(), 0)[1]))
"""


def test_sigkill_five_times_loses_and_repeats_nothing(folder: Path, score: Run) -> None:
    write_variants(folder, vcf_text(ROWS * 4), "variants.vcf.gz")
    assert score("whole", "variants.vcf.gz") == 0
    code = KILLING.replace("CHUNK = CHUNK", f"CHUNK = {CHUNK}").replace("(CHUNK,)", f"({CHUNK},)")
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0
    assert outputs(folder / "parts") == outputs(folder / "whole")
    with gzip.open(folder / "parts" / "variants.vcf.gz", "rt") as text:
        assert sum(not line.startswith("#") for line in text) == 4 * len(ROWS)


def test_truth_ranks_the_scores_beside_the_controls(folder: Path, score: Run) -> None:
    rows = substitutions(80)
    alleles = score_variants(small(), "genome.fa", rows, scoring=Scoring(window=33, radius=None))
    header = "chrom,pos,ref,alt,label"
    text = "".join(f"{','.join(map(str, row))},{int(llr < 0)}\n" for row, llr in zip(rows, alleles["llr"], strict=True))
    write_variants(folder, header + "\n" + text, "variants.csv")
    (folder / "splits.bed").write_text("chr1\t0\t1500\ttrain\nchr1\t1500\t3000\ttest\n")
    (folder / "genes.bed").write_text("chr1\t100\t200\ta\t0\t+\n")
    more = ("truth.field=label", "intervals=splits.bed", "controls.genes=genes.bed")
    assert score("out", "variants.csv", *more) == 0
    found = json.loads((folder / "out" / "results.json").read_text())["ranking"]
    assert found["all"]["llr"]["value"] == 1
    assert found["all"]["copied_llr"]["value"] == 0.5
    assert set(found["all"]) == {
        *WHICH_SCORES,
        *("untrained_llr", "untrained_distance", "copied_llr", "trinucleotide", "cpg", "tss_distance"),
    }
    assert found["training"]["llr"]["n"] + found["elsewhere"]["llr"]["n"] == found["all"]["llr"]["n"] == 80
    assert score("turned", "variants.csv", "truth.field=label", "truth.higher_is=tolerated") == 0
    turned = json.loads((folder / "turned" / "results.json").read_text())["ranking"]
    assert turned["all"]["llr"]["value"] == 0


WHICH_SCORES = ("llr", "ref_prob", "distance")

REFUSED = {
    "an even window": (("window=32",), "window is 32, expected an odd number"),
    "a shard that is not there": (("shard=3/2",), "shard is 3/2, expected 1/2 to 2/2"),
    "a shard in words": (("shard=first",), "shard: "),
    "no such model": (("model=nowhere",), "model: nowhere; a folder"),
    "no such genome": (("fasta=nowhere.fa",), "fasta: nowhere.fa"),
    "no such variants": (("variants=nowhere.vcf",), "variants: nowhere.vcf"),
    "no such genes": (("controls.genes=nowhere.bed",), "controls.genes: nowhere.bed"),
    "an unknown field": (("windw=33",), "did you mean 'window'?"),
    "bounds the wrong way round": (
        ("truth.field=AF", "truth.above=0.1", "truth.below=0.5"),
        "below is 0.5 and above 0.1",
    ),
    "a radius beyond the window": (("radius=17",), "radius is 17, expected 0 to 16"),
}


@pytest.mark.parametrize("which", REFUSED)
def test_what_cannot_be_done_is_refused_before_anything_is_written(
    folder: Path, score: Run, capsys: Any, which: str
) -> None:
    options, message = REFUSED[which]
    write_variants(folder, vcf_text(ROWS))
    assert score("out", "variants.vcf", *options) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_a_file_that_does_not_fit_the_genome_is_refused_before_anything_is_written(
    folder: Path, score: Run, capsys: Any
) -> None:
    wrong = [(contig, position + 1, ref, alt) for contig, position, ref, alt in ROWS]
    write_variants(folder, vcf_text(wrong))
    assert score("out", "variants.vcf") == 2
    assert "have another reference than genome.fa" in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_a_run_does_not_continue_on_another_file(folder: Path, score: Run, capsys: Any) -> None:
    write_variants(folder, vcf_text(ROWS))
    assert score("out", "variants.vcf") == 0
    (folder / "out" / "results.json").unlink()
    write_variants(folder, vcf_text(ROWS[1:]))
    assert score("out", "variants.vcf") == 2
    assert "began with another variants (its sha256 differs)" in capsys.readouterr().err


def test_checking_writes_nothing(folder: Path, score: Run, capsys: Any) -> None:
    write_variants(folder, vcf_text(ROWS))
    sets = [text for name in ("model=model", "fasta=genome.fa", "variants=variants.vcf") for text in ("--set", name)]
    before = sorted(folder.rglob("*"))
    assert main(["check", "score_variants", *sets]) == 0
    said = capsys.readouterr().out
    assert "62 records, 63 alternate alleles, 61 to be scored" in said
    assert "contigs of another name: 1 is chr1" in said
    assert sorted(folder.rglob("*")) == before
    assert main(["check", "score_variants"]) == 2
    assert "Give it by: --set model=FOLDER" in capsys.readouterr().err
