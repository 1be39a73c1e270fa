"""How a benchmark times: turns under a fake clock, how much of the work fits, processes of their own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from caduceus.bench.apart import Allowed, Died, Reach, apart, furthest, peak, reach
from caduceus.bench.clock import Times, Turns, interleave
from caduceus.bench.contestant import Ready
from caduceus.bench.devices import DEVICES, Cpu, copy_rate
from caduceus.bench.entries import entries
from caduceus.bench.measure import Conditions, measure
from caduceus.bench.work import Work
from caduceus.conformance.recipes.bench_examples import ALLOWED, LIMITS, Fatal, model
from caduceus.recipes.bench_table import HEADER, lines, row_lines, title


class FakeClock(Cpu):
    """A device on which calls take the seconds that they return, and ``per_second`` bytes more than the 1 GiB that is
    held from the beginning."""

    def __init__(self, per_second: int = 0) -> None:
        self.per_second, self.most = per_second, 1 << 30

    def time(self, call: Callable[[], Any]) -> float:
        seconds = float(call())
        self.most = max(self.most, (1 << 30) + int(seconds * self.per_second))
        return seconds

    def held(self) -> int:
        return self.most


def test_contestants_take_turns_and_only_rounds_count() -> None:
    called: list[str] = []
    seconds = {"a": iter([9.0, 1.0, 5.0, 2.0]), "b": iter([9.0, 3.0, 3.0, 6.0])}

    def call(name: str) -> Callable[[], float]:
        return lambda: (called.append(name), next(seconds[name]))[1]

    found = interleave({name: call(name) for name in seconds}, FakeClock(), Turns(rounds=3, warmup=1, seconds=0.0))
    assert called == ["a", "b", "b", "a", "a", "b", "b", "a"]
    assert found == {"a": Times(2.0, 1.0, 5.0, 1.0, 3), "b": Times(3.0, 3.0, 6.0, 0.5, 3)}


def test_a_short_call_is_made_until_its_turn_is_over() -> None:
    found = interleave({"a": lambda: 0.01, "b": lambda: 1.0}, FakeClock(), Turns(rounds=2, warmup=1, seconds=0.1))
    assert (found["a"].calls, found["b"].calls) == (20, 2)


@dataclass(frozen=True)
class Fake:
    """Takes ``rate`` seconds a position to the power ``power``; its clock is `FakeClock`. It fails on more than
    ``most`` positions."""

    name: str
    rate: float
    power: int = 1
    about: str = ""
    backward: bool = True
    most: int = 1 << 40

    def lacks(self, work: Work) -> str | None:
        return None if work.mode == "forward" or self.backward else "forward only"

    def computes(self, work: Work) -> bool:
        return False

    def moves(self, work: Work) -> int | None:
        return 24 * work.tokens if self.name == "fast" else None

    def ready(self, work: Work, device: str) -> Ready:
        if work.length > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        x = torch.tensor(self.rate * work.length**self.power, requires_grad=True, dtype=torch.float64)
        return Ready(lambda: x * 1, [x])


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Questions asked in this process, by the fake clock, of contestants that take no memory."""
    monkeypatch.setitem(DEVICES, "cpu", FakeClock())
    return lambda question, *arguments: question(*arguments)


@pytest.mark.parametrize(
    ("rate", "power", "length"),
    [(1e-6, 1, 8192), (1 / 4096, 1, 4096), (1 / 4095, 1, 2048), (0.9 / 1024**2, 2, 1024), (1.0, 1, 64)],
)
@pytest.mark.usefixtures("at_once")
def test_the_length_grows_for_as_long_as_the_next_will_fit(rate: float, power: int, length: int) -> None:
    found = reach(Fake("a", rate, power), Work("model", "forward", model(), 1, 8192), "cpu", ALLOWED)
    assert found == Reach(length, 0.0)


@pytest.mark.parametrize(("allowed", "length"), [(256 << 20, 256), (255 << 20, 128), (128 << 20, 128), (1, 64)])
def test_the_length_stops_where_twice_the_memory_will_not_fit(
    allowed: int, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that takes 1 MiB a position: half as long is no reason to think that as much again is free."""
    monkeypatch.setitem(DEVICES, "cpu", FakeClock(per_second=1 << 40))
    work = Work("model", "forward", model(), 1, 1024)
    assert reach(Fake("a", 2.0**-20), work, "cpu", Allowed(1.0, allowed, 1)).length == length


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("rate", "most", "tried", "length"),
    [
        (1e-9, 1000, 1 << 20, 960),  # 512, and from there in eighths of 512
        (1e-9, 1024, 1 << 20, 1024),
        (1e-9, 1791, 1 << 20, 1664),
        (1e-9, 1 << 30, 4096, 4096),
        (1e-9, 1 << 30, 96, 96),
        (1 / 1000, 1 << 30, 1 << 20, 960),
    ],
)
def test_the_longest_is_found_by_trying(rate: float, most: int, tried: int, length: int) -> None:
    """What fails for want of memory, or takes too long, is too long; it ends nothing."""
    work = Work("model", "train", model(), 1, tried, longest=True)
    assert furthest(Fake("a", rate, most=most), work, "cpu", ALLOWED) == Reach(length, 0.0)


def test_a_contestant_that_does_not_start_is_an_error(at_once: Callable[..., Any]) -> None:
    with pytest.raises(RuntimeError, match="out of memory"):
        furthest(Fake("a", 1.0, most=8), Work("model", "train", model(), 1, 1024, longest=True), "cpu", ALLOWED)


def test_where_the_longest_is_asked_each_does_its_own(at_once: Callable[..., Any]) -> None:
    contestants = [Fake("fast", 1e-6, most=5000), Fake("small", 1e-6, most=1024), Fake("as small", 1e-6, most=1024)]
    conditions = Conditions("cpu", FakeClock(), Turns(rounds=1), ALLOWED, None, at_once)
    work = Work("model", "train", model(), 1, 1 << 20, "bf16-mixed", longest=True)
    rows = list(measure(work, contestants, conditions))
    assert [(row["length"], row["asked"], row["longest_of"], list(row["contestants"])) for row in rows] == [
        (4608, 4608, ["fast"], ["fast"]),
        (1024, 1024, ["small", "as small"], ["fast", "small", "as small"]),
    ]
    assert title(rows[1]) == "ph model, train, 1 x 1,024 (the longest that fits small and as small)"
    assert [row["precision"] for row in rows] == ["bf16-mixed"] * 2
    fast, small, _ = rows[1]["contestants"].values()
    assert (fast["moved_bytes"], fast["bytes_per_second"]) == (24 * 1024, pytest.approx(24e6))
    assert (small["moved_bytes"], small["bytes_per_second"]) == (None, None)
    assert list(lines(rows[1])[0]) == [name for name in HEADER if name != "of floor"]
    assert "moved" not in lines({**rows[1], "contestants": {"small": small}})[0]


def test_a_peer_that_needs_too_long_is_compared_on_shorter_sequences(at_once: Callable[..., Any]) -> None:
    contestants = [Fake("fast", 1 / 8192), Fake("slow", 1 / 512), Fake("one way", 1 / 4096, backward=False)]
    conditions = Conditions("cpu", FakeClock(), Turns(rounds=1), ALLOWED, LIMITS, at_once)
    rows = list(measure(Work("model", "forward", model(), 2, 2048), contestants, conditions))
    assert [(row["length"], row["asked"], list(row["contestants"])) for row in rows] == [
        (2048, 2048, ["fast", "one way"]),
        (512, 2048, ["fast", "slow"]),
    ]
    assert [row["longest_of"] for row in rows] == [None, None]
    assert [row["contestants"]["fast"]["median"] for row in rows] == [0.25, 0.0625]
    assert (rows[0]["contestants"]["one way"]["ratio"], rows[1]["contestants"]["slow"]["ratio"]) == (2.0, 16.0)
    assert rows[1]["contestants"]["slow"]["tokens_per_second"] == 2 * 512
    (row,) = measure(Work("model", "train", model(), 2, 512), contestants, conditions)
    assert row["absent"] == {"one way": "forward only"}


def test_a_contestant_whose_process_fails_is_absent_with_the_reason() -> None:
    def ask(question: Any, contestant: Any, *arguments: Any) -> Any:
        if contestant.name == "dead":
            raise Died("it was ended (exit status -9)")
        return Reach(64, 0.0) if question is reach else 7

    conditions = Conditions("cpu", FakeClock(), Turns(rounds=1), ALLOWED, None, ask)
    contestants = [Fake("alive", 0.1), Fake("dead", 0.1)]
    (row,) = measure(Work("model", "forward", model(), 1, 64), contestants, conditions)
    assert row["absent"] == {"dead": "its process failed: it was ended (exit status -9)"}
    assert row["contestants"]["alive"]["peak_bytes"] == 7
    assert row["contestants"]["alive"]["of_floor"] is None


def test_a_row_that_nobody_could_do_says_why() -> None:
    conditions = Conditions("cpu", FakeClock(), Turns(rounds=1), ALLOWED, None, lambda *_: pytest.fail("it was asked"))
    (row,) = measure(Work("model", "train", model(), 1, 64), [Fake("one way", 0.1, backward=False)], conditions)
    assert list(row_lines(row)) == ["", "ph model, train, 1 x 64", "  ", "  one way: forward only"]


def test_a_process_of_its_own_says_what_it_found_or_how_it_ended() -> None:
    work = Work("model", "forward", model(), 1, 64)
    contestant = entries("torch", [], "cpu")[0]
    assert apart(reach, contestant, work, "cpu", ALLOWED).length == 64
    assert 0 < apart(peak, contestant, work.at(4096), "cpu", ALLOWED) < ALLOWED.memory
    too_much = ALLOWED.memory + (4 << 30) if sys.platform == "linux" else 1 << 50
    with pytest.raises(Died, match="can't allocate memory"):
        apart(peak, Fatal("greedy", too_much), work, "cpu", ALLOWED)
    with pytest.raises(Died, match=r"it was ended \(exit status 3\)"):
        apart(peak, Fatal("gone", 0), work, "cpu", ALLOWED)


def test_the_time_on_a_gpu_is_between_two_events_that_everything_has_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call returns when its kernels are launched: what it does not wait for must be waited for."""
    done: list[str] = []

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            done.append("record")

        def elapsed_time(self, end: Any) -> float:
            done.append("read")
            return 1500.0 if end is not self else 0.0

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: done.append("wait"))
    assert DEVICES["cuda"].time(lambda: done.append("call")) == 1.5
    assert done == ["wait", "record", "call", "record", "wait", "read"]


def test_memory_on_a_gpu_is_what_is_free_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this process keeps for later is given back before it is asked, and a process of its own is held to it."""
    done: list[Any] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: done.append("empty"))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (done.append("ask"), (600, 1000))[1])
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", done.append)
    device = DEVICES["cuda"]
    assert device.free() == 540
    device.limit(540)
    assert done == ["empty", "ask", "ask", 0.54]


def test_the_copy_rate_counts_reading_and_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    took = iter([0.5, 0.25, 0.3])
    monkeypatch.setattr(Cpu, "time", lambda self, call: (call(), next(took))[1])
    assert copy_rate("cpu", 1000, seconds=1.0) == 2 * 1000 / 0.25
