"""The letters that a file may hold as DNA: the bases, N, and the other ambiguity letters of IUPAC, in either case."""

from __future__ import annotations

BASES = frozenset("ACGTNacgtn")
LETTERS = BASES | frozenset("RYSWKMBDHVryswkmbdhv")


def other_letter(sequence: str) -> str:
    """The first letter that is none of DNA and where it is, as a sentence; "" where there is none.

    >>> other_letter("ACGTNry"), other_letter("AC T")
    ('', "' ' at base 3 is no letter of DNA, expected A, C, G, T, N or another IUPAC letter")
    """
    if LETTERS.issuperset(sequence):
        return ""
    place = next(i for i, letter in enumerate(sequence) if letter not in LETTERS)
    return (
        f"{sequence[place]!r} at base {place + 1} is no letter of DNA, expected A, C, G, T, N or another IUPAC letter"
    )
