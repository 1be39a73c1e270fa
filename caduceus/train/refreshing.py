"""What is shown of a run, made anew at each validation."""

from __future__ import annotations

from collections.abc import Callable

from lightning.pytorch import Trainer

from caduceus.train.bar import say
from caduceus.train.module import Step
from caduceus.train.settings import Training
from caduceus.train.steps import AfterUpdate


def tried(refresh: Callable[[], None], then: str) -> None:
    """Call it; a picture that cannot be drawn is no reason to end a run of weeks: it is said, and what happens then."""
    try:
        refresh()
    except Exception as error:
        say(f"the report could not be refreshed ({type(error).__name__}: {error}); {then}")


class Refreshing(AfterUpdate):
    """Calls ``refresh`` in the first process, after the row of each validation is written, the last one excepted."""

    def __init__(self, settings: Training, refresh: Callable[[], None]) -> None:
        self.settings, self.refresh = settings, refresh

    def after_update(self, trainer: Trainer, step: int, seen: Step) -> None:
        validated = step % self.settings.validation_steps == 0 and step < self.settings.max_steps
        if not (trainer.is_global_zero and validated):
            return
        tried(self.refresh, "training goes on")
