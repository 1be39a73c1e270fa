"""Random bits that depend on nothing but a seed, a number and a purpose: the same on any worker, rank or machine.

Philox is a counter-based generator; its raw output is fixed by NumPy's compatibility policy, which that of
`numpy.random.Generator` methods is not. Source: Salmon et al. 2011.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What bits are for: two purposes never share bits."""

    MASK = 0
    STRAND = 1
    ORDER = 2


def random_bits(seed: int, number: int, purpose: Purpose, count: int) -> np.ndarray:
    """``count`` independent uniform uint64 for one (seed, number, purpose), the seed and number from 0 to 2^64 - 1.

    >>> [hex(b) for b in random_bits(0, 1, Purpose.MASK, 2).tolist()]
    ['0xd037f8c3f9a1d176', '0xc057419b4c210765']
    """
    for name, value in (("seed", seed), ("number", number)):
        if not 0 <= value < 1 << 64:
            raise ValueError(f"{name} is {value}, expected a whole number from 0 to 2^64 - 1")
    generator = np.random.Philox(key=np.array([seed, number], dtype=np.uint64), counter=[0, 0, 0, int(purpose)])
    bits: np.ndarray = generator.random_raw(count)
    return bits


def coin(seed: int, number: int, purpose: Purpose) -> bool:
    """Heads with probability 1/2."""
    return bool(random_bits(seed, number, purpose, 1)[0] >> np.uint64(63))
