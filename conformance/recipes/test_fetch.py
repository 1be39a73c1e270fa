"""`fetch` against a server on this machine that cuts connections, changes files, refuses parts, and worse."""

from __future__ import annotations

import errno
import fcntl
import gzip
import hashlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from caduceus.conformance.data.fasta_files import fasta_text, random_sequence
from caduceus.conformance.recipes.http_faults import Faults, serving
from caduceus.data import Genome
from caduceus.recipes import fetch as fetching
from caduceus.recipes import fetch_http
from caduceus.recipes.__main__ import main
from caduceus.recipes.find import find
from caduceus.recipes.load import load
from caduceus.recipes.pretraining import Pretraining
from caduceus.recipes.sources import load_source

FASTA = fasta_text({"chr1": random_sequence(9000, 1), "chr2": random_sequence(500, 2)}).encode()
PACKED = gzip.compress(FASTA, mtime=0)
BED = b"chr1\t0\t8000\ttrain\nchr1\t8000\t9000\tvalid\nchr2\t0\t500\ttest\n"
BLOCK = 1000


@pytest.fixture
def server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """It has a small data set, which small.yaml in the working directory describes."""
    monkeypatch.setattr(fetch_http, "BLOCK", BLOCK)
    monkeypatch.setattr(fetch_http, "PAUSE", 0.0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as faults:
        faults.files = {"/genome.fa.gz": PACKED, "/splits.bed": BED}
        describe(faults.url)
        yield faults


def describe(url: str, **fasta: Any) -> None:
    told = {
        "files": {
            "fasta": {"path": "small/genome.fa", "url": f"{url}/genome.fa.gz", **fasta},
            "intervals": {"path": "small/splits.bed", "url": f"{url}/splits.bed"},
        },
        "contigs": {"chr1": 9000, "chr2": 500},
    }
    Path("small.yaml").write_text(yaml.safe_dump(told))


def run(*options: str) -> int:
    return main(["fetch", "small.yaml", "--to", "data", *options])


def kept() -> set[str]:
    """The files under their final names."""
    return {path.name for path in Path("data").rglob("*") if path.is_file() and not path.name.startswith(".")}


def left() -> set[str]:
    """Everything else."""
    return {path.name for path in Path("data").rglob(".*") if path.is_file()} - {".lock"}


WHOLE = {"genome.fa", "genome.fa.fai", "splits.bed", "fetched.json"}


def test_it_brings_unpacks_checks_and_records(server: Faults, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    said = capsys.readouterr().out
    assert kept() == WHOLE
    assert left() == set()
    assert Path("data/small/genome.fa").read_bytes() == FASTA
    assert Path("data/small/splits.bed").read_bytes() == BED
    assert Genome("data/small/genome.fa").contigs == {"chr1": 9000, "chr2": 500}
    record = json.loads(Path("data/small/fetched.json").read_text())
    assert record["genome.fa"]["sha256"] == hashlib.sha256(FASTA).hexdigest()
    assert record["splits.bed"]["url"] == f"{server.url}/splits.bed"
    for line in ("genome: 2 contigs, 9,500 bases", "intervals: train 1, valid 1, test 1", ", recorded"):
        assert line in said


def test_what_is_here_is_compared_and_not_brought_again(server: Faults, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    server.asked.clear()
    server.status = 500
    capsys.readouterr()
    assert run() == 0
    assert server.asked == []
    assert capsys.readouterr().out.count("as recorded") == 2


def test_what_is_here_is_compared_without_a_lock_which_not_every_file_system_has(
    server: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*_: Any) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", absent)
    assert run() == 0
    monkeypatch.setattr(fetching, "locked", lambda folder: pytest.fail(f"{folder} may be read-only"))
    assert run() == 0


def test_a_file_that_changed_here_is_reported(server: Faults, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    changed = FASTA[:-100] + FASTA[-100:].replace(b"A", b"C")
    Path("data/small/genome.fa").write_bytes(changed)
    assert run() == 1
    said = capsys.readouterr().err
    assert f"sha256 is {hashlib.sha256(changed).hexdigest()}, expected {hashlib.sha256(FASTA).hexdigest()}" in said
    assert "the file has changed: move it away and fetch again" in said
    assert Path("data/small/genome.fa").read_bytes() == changed


def test_a_file_that_changed_on_the_server_is_not_kept(server: Faults, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    Path("data/small/genome.fa").unlink()
    server.files["/genome.fa.gz"] = gzip.compress(FASTA.replace(b"A", b"C"))
    assert run() == 1
    assert "as recorded in data/small/fetched.json; it was not kept" in capsys.readouterr().err
    assert "genome.fa" not in kept()
    assert left() == set()
    server.files["/genome.fa.gz"] = PACKED
    assert run() == 0


def test_a_wrong_checksum(server: Faults, capsys: pytest.CaptureFixture[str]) -> None:
    describe(server.url, sha256="0" * 64)
    assert run() == 1
    assert f"expected {'0' * 64}, as the data set says; it was not kept" in capsys.readouterr().err
    assert kept() | left() == set()
    describe(server.url, sha256=hashlib.sha256(FASTA).hexdigest())
    assert run() == 0


def test_a_cut_connection_is_taken_up_where_it_broke(server: Faults) -> None:
    server.cut = [BLOCK, 300, BLOCK, 0]  # whole, cut inside a block, whole, cut before its first byte
    assert run() == 0
    assert Path("data/small/genome.fa").read_bytes() == FASTA
    ranges = [asked for method, path, asked in server.asked if method == "GET" and path == "/genome.fa.gz"]
    firsts = [int(str(asked).split("=")[1].split("-")[0]) for asked in ranges]
    assert firsts[:5] == [0, BLOCK, BLOCK, 2 * BLOCK, 2 * BLOCK]
    assert firsts[5:] == list(range(3 * BLOCK, len(PACKED), BLOCK))


def test_a_connection_that_keeps_breaking_ends_and_the_same_command_continues(
    server: Faults, capsys: pytest.CaptureFixture[str]
) -> None:
    server.cut = [BLOCK, BLOCK, *[0] * fetch_http.TRIES]
    assert run() == 1
    said = capsys.readouterr().err
    assert f"broke off at 2,000 of {len(PACKED):,} bytes" in said
    assert "the same command continues it" in said
    assert kept() == set()
    assert left() == {".genome.fa.gz.part", ".genome.fa.gz.part.json"}
    server.asked.clear()
    assert run() == 0
    assert server.bodies[0] == f"bytes={2 * BLOCK}-{3 * BLOCK - 1}"
    assert f"continuing at 2,000 of {len(PACKED):,} bytes" in capsys.readouterr().out
    assert kept() == WHOLE
    assert left() == set()


def test_a_part_is_not_continued_with_another_version(server: Faults, capsys: pytest.CaptureFixture[str]) -> None:
    server.cut = [BLOCK, *[0] * fetch_http.TRIES]
    assert run() == 1
    server.tag = '"2"'
    other = fasta_text({"chr1": random_sequence(9000, 3), "chr2": random_sequence(500, 4)}).encode()
    server.files["/genome.fa.gz"] = gzip.compress(other, mtime=0)
    server.asked.clear()
    assert run() == 0
    assert "beginning again" in capsys.readouterr().out
    assert str(server.bodies[0]).startswith("bytes=0-")
    assert Path("data/small/genome.fa").read_bytes() == other


@pytest.mark.parametrize("ranges", [False, None])
@pytest.mark.parametrize("cut", [[], [1500]])
def test_a_server_without_ranges(server: Faults, ranges: bool | None, cut: list[int]) -> None:
    """Whether it says so or just sends the whole file; a connection that breaks is begun again."""
    server.ranges, server.cut = ranges, cut
    assert run() == 0
    assert Path("data/small/genome.fa").read_bytes() == FASTA
    assert kept() == WHOLE


def test_a_server_that_does_not_tell_the_size(server: Faults) -> None:
    server.ranges, server.length = False, False
    assert run() == 0
    assert Path("data/small/genome.fa").read_bytes() == FASTA


def test_a_file_cut_short_where_no_size_is_told_is_damaged(server: Faults, capsys: pytest.CaptureFixture[str]) -> None:
    server.ranges, server.length, server.cut = False, False, [10**6, 10**6, 2000]  # before, the size is asked for
    assert run() == 1
    assert "what came is a damaged gzip file" in capsys.readouterr().err
    assert kept() | left() == set()


@pytest.mark.parametrize(("status", "said"), [(404, "the server answers 404"), (503, "the server answers 503")])
def test_what_the_server_refuses(server: Faults, capsys: pytest.CaptureFixture[str], status: int, said: str) -> None:
    server.status = status
    assert run() == 1
    err = capsys.readouterr().err
    assert f"{server.url}/genome.fa.gz: {said}" in err
    assert ("another mirror" in err) == (status == 404)
    assert kept() | left() == set()


def test_no_network(server: Faults, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        describe(f"http://127.0.0.1:{taken.getsockname()[1]}")
        assert run() == 1
    assert "cannot be reached" in capsys.readouterr().err
    assert kept() | left() == set()


CONTIGS = {
    "a wrong length": ({"chr1": 8999}, "'chr1' has 9,000 bases, expected 8,999"),
    "a wrong name": ({"1": 9000}, "'1' is not there, expected 9,000. It holds 2, the first are 'chr1', 'chr2'"),
    "many": ({f"chr{i}": 1 for i in range(1, 12)}, "11 of 11 contigs differ: .*; and 6 more"),
}


@pytest.mark.parametrize("fault", CONTIGS)
def test_a_genome_with_other_contigs(server: Faults, capsys: pytest.CaptureFixture[str], fault: str) -> None:
    contigs, message = CONTIGS[fault]
    assert run("--set", f"contigs={json.dumps(contigs)}") == 1
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(capsys.readouterr().err)
    assert kept() | left() == set()


BAD_BEDS = {
    b"chr1\t0\t9001\ttrain\n": "chr1:0-9001 is not a range inside 'chr1', which has 9000 bases",
    b"chrX\t0\t10\ttrain\n": "no contig 'chrX'",
    b"chr1\t0\t10\ttrain\nchr1\t10\t20\tvalid\n": "no intervals of split 'test'; it has: train 1, valid 1",
    b"<html>not found</html>": "2 fields, expected contig, start, end, split",
}


@pytest.mark.parametrize("bed", BAD_BEDS)
def test_intervals_that_do_not_fit(server: Faults, capsys: pytest.CaptureFixture[str], bed: bytes) -> None:
    server.files["/splits.bed"] = bed
    assert run() == 1
    assert BAD_BEDS[bed] in capsys.readouterr().err
    assert kept() == {"genome.fa", "genome.fa.fai", "fetched.json"}
    assert left() == set()


def test_a_full_disk_keeps_what_came(
    server: Faults, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = fetch_http._write
    blocks = iter([True, False])

    class Full:
        name = "data/small/.genome.fa.gz.part"

        def write(self, block: bytes) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(
        fetch_http, "_write", lambda file, block, bar: original(file if next(blocks) else Full(), block, bar)
    )
    assert run() == 1
    assert ".genome.fa.gz.part could not be written: No space left on device" in capsys.readouterr().err
    monkeypatch.setattr(fetch_http, "_write", original)
    assert run() == 0
    assert f"continuing at {BLOCK:,}" in capsys.readouterr().out


def test_too_little_room_is_said_before_anything_comes(
    server: Faults, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = fetch_http.shutil.disk_usage
    monkeypatch.setattr(fetch_http.shutil, "disk_usage", lambda path: usage(path)._replace(free=10))
    assert run() == 1
    assert f"{len(PACKED):,} bytes, data/small has room for 10" in capsys.readouterr().err
    assert server.bodies == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fetch", "hg83"], "no data set 'hg83' to fetch, neither a file nor a name; did you mean 'hg38'?"),
        (["fetch", "hg38", "--set", "files.fasta.url=ftp://x"], "files.fasta.url: String should match pattern"),
        (["fetch", "hg38", "--set", "files.fasta.path=/etc/passwd"], "files.fasta.path: String should match pattern"),
        (["fetch", "hg38", "--set", "file.fasta.url=x"], "file: no such field; did you mean 'files'?"),
        (["check", "hg38_pretrain", "--set", "data.sources=hg83"], "did you mean 'hg38'?"),
    ],
)
def test_what_it_cannot_be_told(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_the_default_folder_is_where_recipes_look(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fetching.data_folder() == Path()
    monkeypatch.setenv("CADUCEUS_DATA", str(folder / "data"))
    assert fetching.data_folder() == folder / "data"


def test_hg38_brings_what_its_recipe_reads() -> None:
    recipe = load(find("hg38_pretrain"))
    assert isinstance(recipe, Pretraining)
    assert recipe.data.sources is not None
    told = load_source(recipe.data.sources)
    assert told.files.fasta.path == recipe.data.fasta
    assert told.files.intervals is not None
    assert told.files.intervals.path == recipe.data.intervals
    assert set(told.contigs) == {f"chr{name}" for name in [*range(1, 23), "X"]}
    assert sum(told.contigs.values()) == 3_031_042_417
