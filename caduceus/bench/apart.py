"""What is measured in a process of its own: how much work fits, the first call, and the peak of memory.

Each question is asked in a fresh process, forked from one that has imported torch and this library but computed
nothing. Its peak resident memory (``ru_maxrss``) is a record that only grows, so the difference over a call is what the
call needed above what was there. Memory that it may take is limited, so that a contestant that needs more fails in its
own process.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import torch

from caduceus.bench.contestant import Contestant, prepared
from caduceus.bench.work import Work

_SHORT, _WARM = 64, 8
"""Positions: what does not fit the time on short sequences is measured on them all the same; those to warm up on."""


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
        length: the longest sequences, those of the work or a power of two below, on which a call takes what is allowed.
        first_extra: seconds that the first call of a fresh process takes longer than the second, on short sequences,
            weights and inputs made.
    """

    length: int
    first_extra: float


def reach(contestant: Contestant, work: Work, device: str, allowed: Allowed) -> Reach:
    """Double the length for as long as the next is expected to fit: twice the memory, and a time that grows as last.

    A time is taken to at least double. Only what was measured counts.
    """
    length = work.length
    while length > _SHORT and length % 2 == 0:
        length //= 2
    first_extra = before = None
    while True:
        call = prepared(contestant, work.at(length), device)
        held = peak_memory()
        seconds = _timed(call)
        if first_extra is None:
            again = _timed(call)
            first_extra, seconds = seconds - again, again
        growth = 2.0 if before is None else min(4.0, max(2.0, seconds / before))
        if growth * seconds > allowed.seconds:
            seconds = min(seconds, _timed(call))  # perhaps the machine was busy
        fits = growth * seconds <= allowed.seconds and 2 * (peak_memory() - held) <= allowed.memory
        if length == work.length or not fits:
            return Reach(length, first_extra)
        before, length = seconds, 2 * length


def peak(contestant: Contestant, work: Work, device: str, allowed: Allowed) -> int:
    """Bytes that a call needs above weights, inputs and what a first, short call has left."""
    prepared(contestant, work.at(min(_WARM, work.length)), device)()
    call = prepared(contestant, work, device)
    held = peak_memory()
    call()
    return peak_memory() - held


def _timed(call: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def peak_memory() -> int:
    """Bytes of resident memory that this process has held at most."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


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
    *_, allowed = arguments
    torch.set_num_threads(allowed.threads)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed.memory + (2 << 30), resource.RLIM_INFINITY))
    try:
        to.send((question(*arguments), None))
    except (RuntimeError, MemoryError) as error:
        to.send((None, str(error).partition("\n")[0]))
