"""Token ids of DNA: the sixteen ids of the published Caduceus models, their complements, text to ids and back.

Seven special tokens, the four bases, N, and four unused ids that pad the vocabulary to a multiple of eight.
A, C, G, T are 7, 8, 9, 10; complementing exchanges 7 with 10 and 8 with 9 and leaves every other id alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

TOKENS = ("[CLS]", "[SEP]", "[BOS]", "[MASK]", "[PAD]", "[RESERVED]", "[UNK]", "A", "C", "G", "T", "N")
CLS, SEP, BOS, MASK, PAD, RESERVED, UNK, A, C, G, T, N = range(12)
BASES = (A, C, G, T)
VOCAB_SIZE = 16

# "[RESERVED]" has an id but is not recognised in text: the published tokenizer splits it into ten unknown characters.
_PIECES = re.compile(r"\[(?:CLS|SEP|BOS|MASK|PAD|UNK)\]|.", re.DOTALL)
_IDS = {token: i for i, token in enumerate(TOKENS) if token != "[RESERVED]"}


@dataclass(frozen=True)
class Alphabet:
    """A vocabulary and the complement that acts on it.

    Args:
        complement: ``complement[i]`` is the id of the complement of id ``i``; applying it twice must give ``i`` back.

    >>> DNA.size, DNA.complement[7]
    (16, 10)
    >>> Alphabet.from_map({0: 0, 1: 2, 2: 1})
    Alphabet(3)
    """

    complement: tuple[int, ...]

    def __post_init__(self) -> None:
        n = len(self.complement)
        for i, j in enumerate(self.complement):
            if not 0 <= j < n:
                raise ValueError(f"complement map sends id {i} to {j}, expected an id from 0 to {n - 1}")
            if self.complement[j] != i:
                raise ValueError(
                    f"complement map is not an involution: {i} -> {j} -> {self.complement[j]}, expected back to {i}"
                )

    @classmethod
    def from_map(cls, complement_map: Mapping[Any, int], size: int | None = None) -> Alphabet:
        """Read a complement map by its integer keys, whatever their order; ids without an entry map to themselves.

        Args:
            complement_map: id -> complement id; keys may be text, as JSON makes them.
            size: size of the vocabulary; the largest key + 1 if not given.
        """
        pairs = {int(k): int(v) for k, v in complement_map.items()}
        size = max(pairs) + 1 if size is None else size
        if outside := sorted(k for k in pairs if not 0 <= k < size):
            raise ValueError(f"complement map has ids {outside}, expected ids from 0 to {size - 1}")
        return cls(tuple(pairs.get(i, i) for i in range(size)))

    @property
    def size(self) -> int:
        return len(self.complement)

    def __repr__(self) -> str:
        return "DNA" if self.complement == DNA_COMPLEMENT else f"Alphabet({self.size})"


def dna(size: int = VOCAB_SIZE) -> Alphabet:
    """The DNA alphabet with a vocabulary of ``size`` ids (12 without padding, 16 as published)."""
    if size < len(TOKENS):
        raise ValueError(f"a DNA vocabulary has at least {len(TOKENS)} ids, got {size}")
    return Alphabet.from_map({A: T, C: G, G: C, T: A}, size)


DNA_COMPLEMENT = tuple({A: T, C: G, G: C, T: A}.get(i, i) for i in range(VOCAB_SIZE))
DNA = dna()


def tokenize(text: str, *, upper: bool = True) -> list[int]:
    """Ids of ``text``, one a character, or one for the name of a special token; other characters are [UNK].

    Args:
        upper: read lower-case (soft-masked) bases as bases; without it they are [UNK].

    >>> tokenize("acgtN[MASK]R")
    [7, 8, 9, 10, 11, 3, 6]
    """
    return [_IDS.get(piece.upper() if upper and len(piece) == 1 else piece, UNK) for piece in _PIECES.findall(text)]


def encode(
    sequences: str | Sequence[str], pad_to: int | None = None, side: Literal["left", "right"] = "left"
) -> tuple[np.ndarray, np.ndarray]:
    """Token ids of DNA strings and the mask of the positions that hold sequence.

    Args:
        sequences: strings of A, C, G, T, N in either case; other characters become [UNK]. One string is a batch of one.
        pad_to: length to pad to with [PAD]; the longest sequence if not given.
        side: where the padding goes.

    Returns:
        ids (B, L) int64 and mask (B, L) bool, True at sequence.

    Raises:
        TypeError: a sequence is no string. ValueError: one is longer than ``pad_to``.

    >>> ids, mask = encode(["ACGT", "gg"])
    >>> ids.tolist()
    [[7, 8, 9, 10], [4, 4, 9, 9]]
    >>> mask.tolist()
    [[True, True, True, True], [False, False, True, True]]
    """
    if side not in ("left", "right"):
        raise ValueError(f'side is {side!r}, expected "left" or "right"')
    sequences = [sequences] if isinstance(sequences, str) else list(sequences)
    for i, sequence in enumerate(sequences):
        if not isinstance(sequence, str):
            raise TypeError(f"sequence {i} is {type(sequence).__name__}, expected str")
    rows = [tokenize(sequence) for sequence in sequences]
    longest = max((len(row) for row in rows), default=0)
    length = longest if pad_to is None else pad_to
    if longest > length:
        which = next(i for i, row in enumerate(rows) if len(row) > length)
        raise ValueError(
            f"sequence {which} has {len(rows[which])} tokens, expected at most pad_to={length}; cut it first"
        )
    ids = np.full((len(rows), length), PAD, dtype=np.int64)
    mask = np.zeros((len(rows), length), dtype=bool)
    for i, row in enumerate(rows):
        where = slice(length - len(row), length) if side == "left" else slice(0, len(row))
        ids[i, where] = row
        mask[i, where] = True
    return ids, mask


def decode(ids: Any, *, skip_special: bool = False) -> str | list[str]:
    """Text of token ids: a string for (L,), a list of strings for (B, L); arrays, tensors and lists alike.

    >>> decode([[4, 7, 8, 9, 10]])
    ['[PAD]ACGT']
    >>> decode([4, 7, 8, 9, 10], skip_special=True)
    'ACGT'
    """
    array = np.asarray(ids.tolist() if hasattr(ids, "tolist") else ids)
    if array.ndim == 1:
        return _text(array, skip_special)
    if array.ndim == 2:
        return [_text(row, skip_special) for row in array]
    raise ValueError(f"ids have shape {array.shape}, expected (L,) or (B, L)")


def _text(ids: Iterable[int], skip_special: bool) -> str:
    tokens = (TOKENS[i] if 0 <= i < len(TOKENS) else "[UNK]" for i in map(int, ids))
    return "".join(t for t in tokens if not (skip_special and len(t) > 1))
