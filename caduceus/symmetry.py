"""The reverse complement: the one place of the library where it is written down.

The group has two elements, e and rc, with rc(rc(x)) = x. What rc does to a tensor depends on what the tensor is:

    Tokens(alphabet)   (B, L)        positions flip, every id becomes its complement
    Strands(C)         (B, 2, L, C)  the two strands change places; each keeps its own 5'->3' order
    Track(rep)         (B, L, C)     positions flip, channels move by ``rep``
    Vector(rep)        (B, C)        channels move by ``rep``

A `Rep` is the action on channels alone, a signed permutation. Arrays and tensors are treated alike; neither numpy's nor
torch's functions are called by name, so nothing is imported for the one that is not in use.
Source: Schiff et al. 2024, sections 2 and 4; representations as in Mallet and Vert 2021.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from caduceus.alphabet import DNA, Alphabet


def flip(x: Any, axis: int) -> Any:
    """``x`` reversed along one axis, an array or a tensor."""
    return x.flip(axis) if hasattr(x, "flip") else np.flip(x, axis).copy()


_COMPLEMENT_LETTER = str.maketrans("ACGTacgt", "TGCAtgca")


def reverse_complement(sequence: str) -> str:
    """Reverse complement of a string; case is kept, letters other than A, C, G, T are kept.

    >>> reverse_complement("AcGtRYn-")
    '-nYRaCgT'
    """
    return sequence[::-1].translate(_COMPLEMENT_LETTER)


@dataclass(frozen=True, repr=False)
class Rep:
    """How rc acts on channels: ``rc(x)[..., i] = sign[i] * x[..., perm[i]]``, its own inverse.

    >>> trivial(2) + permutation([1, 0]) + signed(1)
    2 + permutation(1, 0) + signed(1)
    >>> Rep((1, 0), (1, -1))
    Traceback (most recent call last):
    ...
    ValueError: rc(rc(x)) is -x at channel 0, expected x; give both channels of a pair the same sign
    """

    perm: tuple[int, ...]
    sign: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.perm) != len(self.sign):
            raise ValueError(f"perm has {len(self.perm)} channels and sign {len(self.sign)}, expected the same number")
        if sorted(self.perm) != list(range(len(self.perm))):
            raise ValueError(f"perm is {self.perm}, expected each channel from 0 to {len(self.perm) - 1} once")
        for i, j in enumerate(self.perm):
            if self.sign[i] not in (1, -1):
                raise ValueError(f"sign of channel {i} is {self.sign[i]}, expected 1 or -1")
            if self.perm[j] != i:
                raise ValueError(
                    f"perm is not an involution: channel {i} -> {j} -> {self.perm[j]}, expected back to {i}"
                )
            if self.sign[i] * self.sign[j] != 1:
                raise ValueError(
                    f"rc(rc(x)) is -x at channel {i}, expected x; give both channels of a pair the same sign"
                )

    @property
    def channels(self) -> int:
        return len(self.perm)

    def act(self, x: Any) -> Any:
        """rc of the last axis of ``x`` (..., C)."""
        if self.is_trivial:
            return x
        y = x[..., list(self.perm)]
        if all(s == 1 for s in self.sign):
            return y
        return y * (y.new_tensor(self.sign) if hasattr(y, "new_tensor") else np.asarray(self.sign, dtype=y.real.dtype))

    @property
    def is_trivial(self) -> bool:
        return self == trivial(self.channels)

    def __add__(self, other: Rep) -> Rep:
        n = self.channels
        return Rep(self.perm + tuple(n + i for i in other.perm), self.sign + other.sign)

    def __repr__(self) -> str:
        terms: list[tuple[str, int]] = []
        for name, width in self._blocks():
            if terms and name != "" and terms[-1][0] == name and not name.startswith("permutation"):
                terms[-1] = (name, terms[-1][1] + width)
            else:
                terms.append((name, width))
        shown = [name if name.startswith(("permutation", "Rep")) else name.format(width) for name, width in terms]
        return " + ".join(shown) or "0"

    def _blocks(self) -> Iterable[tuple[str, int]]:
        """Smallest runs of consecutive channels that rc maps to themselves: (name, width)."""
        start = 0
        while start < self.channels:
            stop = start + 1
            while max(self.perm[start:stop]) >= stop:
                stop = max(self.perm[start:stop]) + 1
            inner = tuple(i - start for i in self.perm[start:stop])
            signs = self.sign[start:stop]
            if inner == (0,):
                yield ("{}" if signs == (1,) else "signed({})"), 1
            elif all(s == 1 for s in signs):
                yield f"permutation({', '.join(map(str, inner))})", stop - start
            else:
                yield f"Rep(perm={inner}, sign={signs})", stop - start
            start = stop


def trivial(n: int) -> Rep:
    """``n`` channels that rc leaves alone."""
    return Rep(tuple(range(n)), (1,) * n)


def signed(n: int) -> Rep:
    """``n`` channels that rc negates: scores that are antisymmetric between the strands."""
    return Rep(tuple(range(n)), (-1,) * n)


def permutation(perm: Iterable[int]) -> Rep:
    """Channels that rc exchanges: ``permutation([1, 0])`` is a pair of + and - strand values."""
    perm = tuple(int(i) for i in perm)
    return Rep(perm, (1,) * len(perm))


class Space:
    """What a tensor is, and so what rc does to it. Equality is by value; a space holds no data."""

    def act(self, x: Any, mask: Any = None) -> Any:
        """rc of ``x``, an array or a tensor; with a mask (B, L), the pair (rc of x, mask of rc of x)."""
        self.check(x)
        y = self._act(x)
        return y if mask is None else (y, flip(mask, 1))

    def check(self, x: Any) -> None:
        """Raise ValueError unless ``x`` has the shape of this space."""
        if not self._fits(tuple(x.shape)):
            raise ValueError(f"{self} expects shape {self._shape()}, received {tuple(x.shape)}")

    def sample(self, rng: np.random.Generator, batch: int, length: int) -> np.ndarray:
        """A random element: every id for `Tokens`, else standard normal float64."""
        sizes = {"B": batch, "L": length}
        return rng.standard_normal([sizes.get(n, n) for n in self._shape_names()])

    def _act(self, x: Any) -> Any:
        raise NotImplementedError

    def _shape_names(self) -> tuple[Any, ...]:
        raise NotImplementedError

    def _shape(self) -> str:
        return f"({', '.join(map(str, self._shape_names()))})"

    def _fits(self, shape: tuple[int, ...]) -> bool:
        names = self._shape_names()
        return len(shape) == len(names) and all(isinstance(n, str) or n == s for n, s in zip(names, shape, strict=True))


@dataclass(frozen=True)
class Tokens(Space):
    """Token ids (B, L).

    >>> Tokens().act(np.array([[7, 7, 8]])).tolist()
    [[9, 10, 10]]
    """

    alphabet: Alphabet = DNA

    def _shape_names(self) -> tuple[Any, ...]:
        return ("B", "L")

    def _act(self, x: Any) -> Any:
        complement = self.alphabet.complement
        table = x.new_tensor(complement) if hasattr(x, "new_tensor") else np.asarray(complement, dtype=x.dtype)
        return flip(table[x], 1)

    def sample(self, rng: np.random.Generator, batch: int, length: int) -> np.ndarray:
        return rng.integers(0, self.alphabet.size, (batch, length))

    def __repr__(self) -> str:
        return f"Tokens({self.alphabet})"


@dataclass(frozen=True)
class Strands(Space):
    """Two strands of C channels (B, 2, L, C), each in its own 5'->3' order: rc only exchanges them."""

    channels: int

    def _shape_names(self) -> tuple[Any, ...]:
        return ("B", 2, "L", self.channels)

    def _act(self, x: Any) -> Any:
        return flip(x, 1)

    def __repr__(self) -> str:
        return f"Strands({self.channels})"


@dataclass(frozen=True, repr=False, init=False)
class _OfChannels(Space):
    """A space whose last axis moves by ``rep``; a number of channels stands for that many trivial ones."""

    rep: Rep

    def __init__(self, rep: Rep | int) -> None:
        object.__setattr__(self, "rep", trivial(rep) if isinstance(rep, int) else rep)

    @property
    def channels(self) -> int:
        return self.rep.channels

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.rep})"


class Track(_OfChannels):
    """A value per position (B, L, C): positions flip, channels move by ``rep``; ``Track(3)`` has a trivial one."""

    def _shape_names(self) -> tuple[Any, ...]:
        return ("B", "L", self.rep.channels)

    def _act(self, x: Any) -> Any:
        return self.rep.act(flip(x, 1))


class Vector(_OfChannels):
    """A value per sequence (B, C): the channels move by ``rep``; ``Vector(3)``, trivial, is an invariant."""

    def _shape_names(self) -> tuple[Any, ...]:
        return ("B", self.rep.channels)

    def _act(self, x: Any) -> Any:
        return self.rep.act(x)


def token_rep(alphabet: Alphabet) -> Rep:
    """rc on one channel per token, as in logits: the vocabulary permutes."""
    return permutation(alphabet.complement)
