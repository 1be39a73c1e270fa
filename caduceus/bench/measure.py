"""One piece of work, every contestant: who can do how much of it, timed in turns, set beside each other and the floor.

A contestant that cannot do the work in the time or memory allowed does as much of it as it can, on shorter sequences.
The subject is then timed at that length too: every ratio is of the same work, and nothing is extrapolated. Where the
longest is asked for, each does the longest that it can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from caduceus.backends.cpu.limits import Limits
from caduceus.bench.apart import Allowed, Died, Reach, apart, furthest, peak, reach
from caduceus.bench.clock import Clock, Times, Turns, interleave
from caduceus.bench.contestant import Contestant, prepared
from caduceus.bench.devices import DEVICES
from caduceus.bench.floor import count, floor_seconds
from caduceus.bench.work import Work

Row = dict[str, Any]


@dataclass(frozen=True)
class Conditions:
    """How it is measured.

    Attributes:
        device: a name of `devices.DEVICES`.
        limits: of the machine; None where they could not be measured.
        ask: how a question is asked in a process of its own, as `apart.apart`.
    """

    device: str
    clock: Clock
    turns: Turns
    allowed: Allowed
    limits: Limits | None
    ask: Callable[..., Any] = apart


def measure(work: Work, contestants: Sequence[Contestant], conditions: Conditions) -> Iterator[Row]:
    """A row of plain values for each length that was measured, the longest first: that of ``work`` if any can do it.

    Keys of a row:
        part, mode, variant, batch, precision: of the work. length: that was measured. asked: that of the work.
        longest_of: whose longest that fits it is, by name; None where a length was asked for, which ``asked`` then is.
        flop, updates: of one forward, as `floor.count`. floor_seconds: of the whole work.
        contestants: by name, the subject (the first of ``contestants``) first: its times as `Times`; tokens_per_second;
            updates_per_second; of_floor, floor over median; ratio, its median over the subject's; peak_bytes as
            `apart.peak`; first_extra_seconds as `apart.Reach`; moved_bytes as `Contestant.moves`; bytes_per_second.
        absent: by name, why a contestant is in none of the rows; in the first row only.
    """
    reached, absent = {}, {}
    for contestant in contestants:
        found = _reach(contestant, work, conditions)
        if isinstance(found, Reach):
            reached[contestant.name] = found
        else:
            absent[contestant.name] = found
    subject = contestants[0]
    furthest = reached[subject.name].length if subject.name in reached else 0
    for length in sorted({found.length for found in reached.values()} or {work.length}, reverse=True):
        there = [c for c in contestants if c.name in reached and reached[c.name].length == length]
        if furthest > length:
            there.insert(0, subject)
        row = _row(work.at(length), there, subject.name, conditions)
        for name, entry in row["contestants"].items():
            entry["first_extra_seconds"] = reached[name].first_extra
        own = [name for name, found in reached.items() if found.length == length]
        asked = {"asked": length, "longest_of": own} if work.longest else {"asked": work.length, "longest_of": None}
        yield {**row, **asked, "absent": absent}
        absent = {}


def _reach(contestant: Contestant, work: Work, conditions: Conditions) -> Reach | str:
    """How far it gets, or why it cannot start."""
    reason = contestant.lacks(work)
    if reason is not None:
        return reason
    try:
        question = furthest if work.longest else reach
        found: Reach = conditions.ask(question, contestant, work, conditions.device, conditions.allowed)
    except Died as error:
        return f"its process failed: {error}"
    return found


def _row(work: Work, contestants: Sequence[Contestant], subject: str, conditions: Conditions) -> Row:
    peaks = {c.name: _peak(c, work, conditions) for c in contestants}
    calls = {c.name: prepared(c, work, conditions.device) for c in contestants}
    times = interleave(calls, conditions.clock, conditions.turns)
    calls.clear()
    DEVICES[conditions.device].release()
    moved = {c.name: c.moves(work) for c in contestants}
    counted, floor = count(work), floor_seconds(work, conditions.limits)
    updates = None if counted is None else counted.updates
    beside = times[subject].median if subject in times else None
    return {
        "part": work.part,
        "mode": work.mode,
        "variant": work.variant,
        "batch": work.batch,
        "length": work.length,
        "precision": work.precision,
        "flop": None if counted is None else counted.flop,
        "updates": updates,
        "floor_seconds": floor,
        "contestants": {
            name: _entry(found, work.tokens, updates, floor, beside)
            | {"peak_bytes": peaks[name], **_traffic(moved[name], found)}
            for name, found in times.items()
        },
    }


def _entry(times: Times, tokens: int, updates: int | None, floor: float | None, beside: float | None) -> dict[str, Any]:
    return {
        **asdict(times),
        "tokens_per_second": tokens / times.median,
        "updates_per_second": None if updates is None else updates / times.median,
        "of_floor": None if floor is None else floor / times.median,
        "ratio": None if beside is None else times.median / beside,
    }


def _traffic(moved: int | None, times: Times) -> dict[str, Any]:
    return {"moved_bytes": moved, "bytes_per_second": None if moved is None else moved / times.median}


def _peak(contestant: Contestant, work: Work, conditions: Conditions) -> int | None:
    """None where its process failed: it can do the work, as `_reach` found, only not with less memory."""
    try:
        found: int = conditions.ask(peak, contestant, work, conditions.device, conditions.allowed)
    except Died:
        return None
    return found
