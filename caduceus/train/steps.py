"""The base of what happens after an update."""

from __future__ import annotations

from typing import Any, cast

from lightning.pytorch import Callback, LightningModule, Trainer

from caduceus.train.module import MaskedLanguageModel, Step


class AfterUpdate(Callback):
    """A callback of updates, not of micro-batches."""

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        trained = cast(MaskedLanguageModel, pl_module)
        if trained.updated:
            self.after_update(trainer, trainer.global_step, trained.last)

    def after_update(self, trainer: Trainer, step: int, seen: Step) -> None:
        """``step`` updates are done; the last one saw ``seen``."""
        raise NotImplementedError
