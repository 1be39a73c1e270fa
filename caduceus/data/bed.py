"""Lines of BED files, plain or gzip."""

from __future__ import annotations

import os
from collections.abc import Iterator

from caduceus.data.text import opened


def fields(line: str) -> list[str]:
    """Of a line: between tabs where it has any, as a name may hold spaces; else between spaces. Empty for no region.

    >>> fields("chr1\\t5\\t30\\texon 1\\t0\\t-\\n"), fields("chr1 5 30"), fields("# a comment"), fields("track name=x")
    (['chr1', '5', '30', 'exon 1', '0', '-'], ['chr1', '5', '30'], [], [])
    """
    text = line.strip()
    found = [field.strip() for field in text.split("\t")] if "\t" in text else text.split()
    words = text.split(maxsplit=1)
    return [] if not words or words[0].startswith("#") or words[0] in ("track", "browser") else found


def regions(path: str | os.PathLike[str]) -> Iterator[tuple[int, list[str]]]:
    """Number and fields of each line that holds a region; the second and third field are whole numbers.

    Raises:
        FileNotFoundError: there is no such file. ValueError: a line is malformed.
    """
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            found = fields(line)
            if not found:
                continue
            if len(found) < 3 or not all(text.isascii() and text.isdigit() for text in found[1:3]):
                raise ValueError(f"{path}: line {number}: expected contig, start, end, got {line.strip()!r}")
            yield number, found
