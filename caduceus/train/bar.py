"""What a person sees: lines, and a progress bar with tokens a second, time left and bits per base."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm

from caduceus.train.batches import BatchPlan
from caduceus.train.module import Step
from caduceus.train.ranks import process_rank
from caduceus.train.steps import AfterUpdate

_FORMAT = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} tokens [{elapsed}<{remaining}, {rate_fmt}{postfix}]"


def say(text: str) -> None:
    """Print a line, above any bar; only in the first process of a run over several devices.

    Nothing depends on a reader: a run goes on when its terminal has closed.
    """
    if process_rank() == 0:
        with suppress(OSError):
            Tqdm.write(text)
            sys.stdout.flush()


def watched(numbers: range, what: str) -> Iterable[int]:
    """The same numbers, with a bar that goes away when they are done."""
    shown: Iterable[int] = Tqdm(
        numbers,
        desc=what,
        bar_format="{desc} {percentage:3.0f}%|{bar}| [{elapsed}<{remaining}]",
        leave=False,
        disable=_hidden(),
    )
    return shown


def bytes_bar(total: int | None, done: int, what: str) -> Any:
    """A bar of bytes, to be updated by how many more there are; ``done`` of them were there before."""
    return Tqdm(total=total, initial=done, desc=what, unit="B", unit_scale=True, leave=False, disable=_hidden())


class Bar(AfterUpdate):
    """On a terminal, a bar on stderr; elsewhere nothing, the validations are lines of their own."""

    def __init__(self, max_steps: int, plan: BatchPlan) -> None:
        self.max_steps, self.plan = max_steps, plan
        self._bar: Any = None
        self._smooth: float | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._bar = Tqdm(
            total=self.max_steps * self.plan.tokens,
            initial=trainer.global_step * self.plan.tokens,
            unit=" tokens",
            unit_scale=True,
            bar_format=_FORMAT,
            dynamic_ncols=True,
            smoothing=0.1,
            leave=False,
            disable=_hidden(),
        )

    def after_update(self, trainer: Trainer, step: int, seen: Step) -> None:
        if seen.loss is not None:
            self._smooth = seen.loss if self._smooth is None else 0.9 * self._smooth + 0.1 * seen.loss
            shown = f"loss {self._smooth:.3f}, {self._smooth / math.log(2):.3f} bits per base"
            self._bar.set_postfix_str(shown, refresh=False)
        self._bar.update(self.plan.tokens)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _hidden() -> bool:
    return process_rank() != 0 or not sys.stderr.isatty()
