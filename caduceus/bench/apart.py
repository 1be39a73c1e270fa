"""What is measured in a process of its own: how much work fits, the first call, and the peak of memory.

Each question is asked in a fresh process, forked from one that has imported torch and this library but computed
nothing. What it has held at most (`devices.Device.held`) is a record that only grows, so the difference over a call is
what the call needed above what was there. Memory that it may take is limited, so that a contestant that needs more
fails in its own process.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import torch

from caduceus.bench.contestant import Contestant, prepared
from caduceus.bench.devices import DEVICES
from caduceus.bench.work import Work

_SHORT, _WARM = 64, 8
"""Positions: what does not fit the time on short sequences is measured on them all the same; those to warm up on."""
TOO_MUCH = (RuntimeError, MemoryError)
"""What a call raises that needs more memory than there is, or more of something else that grows with the length."""


@dataclass(frozen=True)
class Allowed:
    """What one call may take.

    Attributes:
        seconds: about; known from calls on shorter sequences.
        memory: bytes, above weights and inputs.
        threads: of the CPU.
    """

    seconds: float
    memory: int
    threads: int


class Died(RuntimeError):
    """A process ended before it answered; the message says how."""


@dataclass(frozen=True)
class Reach:
    """How much of the work a contestant can do.

    Attributes:
        length: the longest sequences on which a call takes what is allowed, of those that were tried.
        first_extra: seconds that the first call of a fresh process takes longer than the second, on short sequences,
            weights and inputs made.
    """

    length: int
    first_extra: float


def reach(contestant: Contestant, work: Work, device: str, allowed: Allowed) -> Reach:
    """Double the length, up to that of the work, for as long as the next is expected to fit: twice the memory, and a
    time that grows as last.

    A time is taken to at least double. Only what was measured counts.
    """
    at = DEVICES[device]
    length = work.length
    while length > _SHORT and length % 2 == 0:
        length //= 2
    call = prepared(contestant, work.at(length), device)
    begin = at.held()
    first = at.time(call)
    seconds = at.time(call)
    first_extra, before = first - seconds, seconds / 2
    while length < work.length:
        growth = min(4.0, max(2.0, seconds / before))
        if growth * seconds > allowed.seconds:
            seconds = min(seconds, at.time(call))  # perhaps the machine was busy
        if growth * seconds > allowed.seconds or 2 * (at.held() - begin) > allowed.memory:
            break
        before = seconds
        try:
            call = prepared(contestant, work.at(2 * length), device)
            seconds = at.time(call)
        except TOO_MUCH:
            break
        length *= 2
    return Reach(length, first_extra)


def furthest(contestant: Contestant, work: Work, device: str, allowed: Allowed) -> Reach:
    """`reach`, and on from there, by trying, to the longest that fits, in eighths of what was reached; never longer
    than the work."""
    found = reach(contestant, work, device, allowed)
    length = found.length
    for step in (length // 2, length // 4, length // 8):
        longer = work.at(length + step)
        if step and longer.length <= work.length and _fits(contestant, longer, device, allowed):
            length = longer.length
    return Reach(length, found.first_extra)


def _fits(contestant: Contestant, work: Work, device: str, allowed: Allowed) -> bool:
    at = DEVICES[device]
    try:
        at.release()
        return at.time(prepared(contestant, work, device)) <= allowed.seconds
    except TOO_MUCH:
        return False


def peak(contestant: Contestant, work: Work, device: str, allowed: Allowed) -> int:
    """Bytes that a call needs above weights, inputs and what a first, short call has left."""
    at = DEVICES[device]
    prepared(contestant, work.at(min(_WARM, work.length)), device)()
    call = prepared(contestant, work, device)
    held = at.held()
    call()
    return at.held() - held


def apart(question: Callable[..., Any], contestant: Contestant, work: Work, device: str, allowed: Allowed) -> Any:
    """``question(contestant, work, device, allowed)``, answered in a fresh process.

    Raises:
        Died: the process failed, or was ended.
    """
    here, there = _context().Pipe(duplex=False)
    process = _context().Process(target=_answer, args=(there, question, contestant, work, device, allowed))
    process.start()
    there.close()
    with here:
        try:
            answer, error = here.recv()
        except EOFError:
            answer, error = None, "it was ended"
    process.join()
    if error is not None:
        raise Died(f"{error} (exit status {process.exitcode})" if process.exitcode else error)
    return answer


def _context() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "caduceus.bench.entries"])
    return context


def _answer(to: Connection, question: Callable[..., Any], *arguments: Any) -> None:
    *_, device, allowed = arguments
    torch.set_num_threads(allowed.threads)
    DEVICES[device].limit(allowed.memory)
    try:
        to.send((question(*arguments), None))
    except TOO_MUCH as error:
        to.send((None, str(error).partition("\n")[0]))
