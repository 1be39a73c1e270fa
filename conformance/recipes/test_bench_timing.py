"""How a benchmark times: turns under a fake clock, how much of the work fits, processes of their own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from caduceus.bench import apart as apart_module
from caduceus.bench.apart import Allowed, Died, Reach, apart, peak, reach
from caduceus.bench.clock import Times, Turns, interleave
from caduceus.bench.contestant import Ready
from caduceus.bench.entries import entries
from caduceus.bench.measure import Conditions, measure
from caduceus.bench.work import Work
from caduceus.conformance.recipes.bench_examples import ALLOWED, LIMITS, Fatal, model


class FakeClock:
    """Calls take the seconds that they return."""

    def time(self, call: Callable[[], Any]) -> float:
        return float(call())


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
    """Takes ``rate`` seconds a position to the power ``power``; its clock is `FakeClock`."""

    name: str
    rate: float
    power: int = 1
    about: str = ""
    backward: bool = True

    def lacks(self, work: Work) -> str | None:
        return None if work.mode == "forward" or self.backward else "forward only"

    def computes(self, work: Work) -> bool:
        return False

    def ready(self, work: Work, device: str) -> Ready:
        x = torch.tensor(self.rate * work.length**self.power, requires_grad=True, dtype=torch.float64)
        return Ready(lambda: x * 1, [x])


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Questions asked in this process, by the fake clock, of contestants that take no memory."""
    monkeypatch.setattr(apart_module, "_timed", FakeClock().time)
    monkeypatch.setattr(apart_module, "peak_memory", lambda: 0)
    return lambda question, *arguments: question(*arguments)


@pytest.mark.parametrize(
    ("rate", "power", "length"),
    [(1e-6, 1, 8192), (1 / 4096, 1, 4096), (1 / 4095, 1, 2048), (0.9 / 1024**2, 2, 1024), (1.0, 1, 64)],
)
@pytest.mark.usefixtures("at_once")
def test_the_length_grows_for_as_long_as_the_next_will_fit(rate: float, power: int, length: int) -> None:
    found = reach(Fake("a", rate, power), Work("model", "forward", model(), 1, 8192), "cpu", ALLOWED)
    assert found == Reach(length, 0.0)


@pytest.mark.usefixtures("at_once")
def test_the_length_stops_where_twice_the_memory_will_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    held = iter(range(0, 1 << 40, 300 << 20))
    monkeypatch.setattr(apart_module, "peak_memory", lambda: next(held))
    work = Work("model", "forward", model(), 1, 256)
    assert reach(Fake("a", 1e-6), work, "cpu", ALLOWED).length == 256
    assert reach(Fake("a", 1e-6), work, "cpu", Allowed(1.0, 599 << 20, 1)).length == 64


def test_a_peer_that_needs_too_long_is_compared_on_shorter_sequences(at_once: Callable[..., Any]) -> None:
    contestants = [Fake("fast", 1 / 8192), Fake("slow", 1 / 512), Fake("one way", 1 / 4096, backward=False)]
    conditions = Conditions("cpu", FakeClock(), Turns(rounds=1), ALLOWED, LIMITS, at_once)
    rows = list(measure(Work("model", "forward", model(), 2, 2048), contestants, conditions))
    assert [(row["length"], row["asked"], list(row["contestants"])) for row in rows] == [
        (2048, 2048, ["fast", "one way"]),
        (512, 2048, ["fast", "slow"]),
    ]
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
