"""Signals are this library's again as soon as Lightning has put its own handler in front."""

from __future__ import annotations

from lightning.pytorch import Callback, LightningModule, Trainer

from caduceus.train.signals import Signals


class Watching(Callback):
    """Goes before all callbacks that take long: under Lightning's handler a signal ends a run as if it were done."""

    def __init__(self, signals: Signals) -> None:
        self.signals = signals

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.signals.watch()

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.signals.watch()  # every step was done before: training did not start
