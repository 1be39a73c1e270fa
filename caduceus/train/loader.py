"""Micro-batches of a whole run, from any step on."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from caduceus.data import Batches
from caduceus.train.batches import BatchPlan
from caduceus.train.signals import WATCHED

Sample = dict[str, np.ndarray]


class Samples(Protocol):
    """A dataset: global sample index -> named arrays, a pure function of the index."""

    def __getitem__(self, sample: int) -> Sample: ...


class Loader:
    """What Lightning iterates over: one pass is the whole run, and its state is how many steps have been handed out.

    A run that continues begins at the step after; which samples that step holds depends on nothing else.

    Args:
        device: where they go: for a CUDA device they are put where it can fetch them.

    Attributes:
        handed_out: micro-batches so far. waited: seconds spent waiting for them.
    """

    def __init__(
        self,
        samples: Samples,
        plan: BatchPlan,
        steps: int,
        workers: int = 0,
        rank: int = 0,
        device: torch.device | None = None,
    ) -> None:
        self.samples, self.plan, self.steps, self.workers, self.rank = samples, plan, steps, workers, rank
        self.pinned = device is not None and device.type == "cuda"
        self.handed_out = 0
        self.waited = 0.0

    def __len__(self) -> int:
        """Micro-batches of the whole run, on this rank."""
        return self.steps * self.plan.accumulate

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        plan = self.plan
        batches = Batches(
            batch=plan.sequences,
            first=self.handed_out // plan.accumulate,
            last=self.steps,
            rank=self.rank,
            world=plan.world,
            accumulate=plan.accumulate,
        )
        loader: DataLoader[Any] = DataLoader(
            self.samples,  # type: ignore[arg-type]
            batch_sampler=batches,
            num_workers=self.workers,
            collate_fn=collate,
            worker_init_fn=_ignore_signals,
            pin_memory=self.pinned,
        )
        arriving = iter(loader)
        while (batch := self._next(arriving)) is not None:
            self.handed_out += 1
            yield batch

    def _next(self, arriving: Iterator[dict[str, Tensor]]) -> dict[str, Tensor] | None:
        """The next micro-batch, None after the last, on the clock."""
        begin = time.monotonic()
        try:
            batch = next(arriving, None)
        except (OSError, EOFError) as error:
            if self.workers and not str(error).startswith("Caught "):  # not in reading: nobody is at the other end
                raise reader_died(error) from error
            raise
        self.waited += time.monotonic() - begin
        return batch

    def state_dict(self) -> dict[str, int]:
        return {"steps": self.handed_out // self.plan.accumulate}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.handed_out = state["steps"] * self.plan.accumulate


def reader_died(why: Exception) -> ChildProcessError:
    """What to say when a worker is gone: torch notices in one of several ways."""
    return ChildProcessError(
        f"a process that reads data died ({str(why).partition('. ')[0]}), often for lack of memory, of which fewer "
        "workers need less; the same command continues from the last checkpoint"
    )


def collate(samples: Sequence[Sample]) -> dict[str, Tensor]:
    """Samples of arrays (L,) as one of tensors (B, L)."""
    return {name: torch.from_numpy(np.stack([sample[name] for sample in samples])) for name in samples[0]}


def _ignore_signals(_: int) -> None:
    """A signal to the whole process group is for the main process to act on, once the step is done."""
    for number in WATCHED:
        signal.signal(number, signal.SIG_IGN)
