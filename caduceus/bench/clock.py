"""Contestants that take turns under a clock."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Call = Callable[[], Any]
_MOST_CALLS = 50


class Clock(Protocol):
    """How a call is timed, until what it started has ended; every `devices.Device` is one."""

    def time(self, call: Call) -> float:
        """Call once; the seconds it took."""
        ...


@dataclass(frozen=True)
class Turns:
    """How contestants take turns.

    Attributes:
        rounds, warmup: rounds that count, and rounds before them that do not; each contestant has a turn in each.
        seconds: that a turn lasts at least, in calls that are timed each.
    """

    rounds: int = 5
    warmup: int = 1
    seconds: float = 0.2


@dataclass(frozen=True)
class Times:
    """Seconds of one contestant's calls: their median, extremes and number.

    Attributes:
        spread: distance of the quartiles, as a share of the median.
    """

    median: float
    low: float
    high: float
    spread: float
    calls: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Times:
        """
        >>> Times.of([3.0, 1.0, 2.0, 4.0, 5.0])
        Times(median=3.0, low=1.0, high=5.0, spread=0.6666666666666666, calls=5)
        """
        middle = statistics.median(seconds)
        quartiles = statistics.quantiles(seconds, method="inclusive") if len(seconds) > 1 else [middle] * 3
        return cls(middle, min(seconds), max(seconds), (quartiles[2] - quartiles[0]) / middle, len(seconds))


def interleave(calls: Mapping[str, Call], clock: Clock, turns: Turns) -> dict[str, Times]:
    """Time the calls in turns, each round beginning with another of them, so that what disturbs one disturbs all."""
    names = list(calls)
    last = dict.fromkeys(names, 0.0)
    found: dict[str, list[float]] = {name: [] for name in names}
    for round_ in range(turns.warmup + turns.rounds):
        first = round_ % max(1, len(names))
        for name in names[first:] + names[:first]:
            counts = round_ >= turns.warmup
            for _ in range(_calls(turns.seconds, last[name]) if counts else 1):
                last[name] = clock.time(calls[name])
                if counts:
                    found[name].append(last[name])
    return {name: Times.of(seconds) for name, seconds in found.items()}


def _calls(seconds: float, each: float) -> int:
    """How many calls of ``each`` seconds make a turn."""
    return 1 if each <= 0 else max(1, min(_MOST_CALLS, math.ceil(seconds / each)))
