"""From the file a user names to one that can be read at random places, with an index that fits it.

Plain FASTA and BGZF stay where they are; plain gzip is unpacked once into the cache folder. An index beside the file is
used if it fits; a missing one is written beside the file, or into the cache if that folder is read-only; one that does
not fit is left alone and a right one is made in the cache.
"""

from __future__ import annotations

import gzip
import logging
import os
import shutil
import warnings
import zlib
from contextlib import closing
from pathlib import Path

from pyfaidx import Faidx, FastaIndexingError

from caduceus.data.cache import cache_entry, published
from caduceus.data.fasta import DAMAGE, Files, OpenFasta
from caduceus.data.locks import locked
from caduceus.data.text import is_bgzf, is_packed, refuse_cut_off

_log = logging.getLogger(__name__)
_BGZF_NAMES = (".gz", ".bgz")


def prepare(path: str | os.PathLike[str]) -> Files:
    """A seekable FASTA holding what ``path`` holds, and an index that fits it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not FASTA, is damaged, or cannot be indexed.
    """
    source = Path(path).expanduser().absolute()
    if not source.is_file():
        raise FileNotFoundError(f"no genome at {source}; expected a FASTA file, plain, BGZF or gzip")
    fasta = _unpacked(source) if _needs_unpacking(source) else source
    beside = _names(fasta, fasta.parent)
    problem = _problem(beside)
    if not problem:
        return beside
    if problem != "missing":
        _log.warning("index %s does not fit %s (%s); a new one is kept in the cache", beside.fai, fasta, problem)
    elif _writable(fasta.parent):
        return _build(beside)
    entry = cache_entry(fasta)
    with locked(entry):
        cached = _names(fasta, entry)
        return cached if not _problem(cached) else _build(cached)


def _names(fasta: Path, folder: Path) -> Files:
    packed = fasta.name.lower().endswith(_BGZF_NAMES)
    return Files(fasta, folder / f"{fasta.name}.fai", folder / f"{fasta.name}.gzi" if packed else None)


def _problem(files: Files) -> str:
    if not files.fai.is_file() or (files.gzi is not None and not files.gzi.is_file()):
        return "missing"
    try:
        with closing(OpenFasta(files)) as opened:
            return opened.misfit()
    except Exception as error:  # whatever pyfaidx says of an index it cannot parse, the answer is a new one
        return f"it cannot be read: {error}"


def _writable(folder: Path) -> bool:
    """Also asks the mode, which does not bind root, so that a folder marked read-only is left alone by everyone."""
    return bool(folder.stat().st_mode & 0o222) and os.access(folder, os.W_OK)


def _build(files: Files) -> Files:
    _log.info("indexing %s, once", files.fasta)
    with published(files.fai.parent) as folder:
        made = _names(files.fasta, folder)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                Faidx(str(made.fasta), indexname=str(made.fai), gzi_indexname=made.gzi and str(made.gzi)).close()
            with closing(OpenFasta(made)) as opened:
                problem = opened.misfit()
        except (FastaIndexingError, *DAMAGE) as error:
            problem = str(error)
        if problem:
            raise ValueError(f"{files.fasta} cannot be indexed, it is malformed or cut off: {problem}")
    return files


def _needs_unpacking(source: Path) -> bool:
    named_packed = source.name.lower().endswith(_BGZF_NAMES)
    if is_packed(source):
        refuse_cut_off(source)
        return not (is_bgzf(source) and named_packed)
    with source.open("rb") as file:
        head = file.read(18)
    if head.lstrip()[:1] not in (b">", b";"):
        raise ValueError(f"{source} begins with {head[:8]!r}, expected FASTA: a line that begins with '>'")
    if named_packed:
        raise ValueError(f"{source} is plain text in spite of its name; rename it without {source.suffix}")
    return False


def _unpacked(source: Path) -> Path:
    entry = cache_entry(source)
    name = source.name
    while name.lower().endswith(_BGZF_NAMES):
        name = name[: name.rindex(".")]
    target = entry / name
    with locked(entry):
        if not target.is_file():
            _log.warning("%s is plain gzip, which has no random access: unpacking it once into %s", source, entry)
            try:
                with published(entry) as folder, gzip.open(source) as packed, (folder / name).open("wb") as plain:
                    shutil.copyfileobj(packed, plain, 1 << 20)
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                raise ValueError(f"{source} is a damaged gzip file ({error}); get it again") from error
            except OSError as error:
                hint = "CADUCEUS_CACHE names the folder to use"
                raise OSError(error.errno, f"cannot unpack {source} into {entry}: {error.strerror}; {hint}") from error
    return target
