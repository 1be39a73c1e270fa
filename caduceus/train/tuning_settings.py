"""What a fine-tuning run is told, as data. Defaults are the paper's (docs/published_models.md 10)."""

from __future__ import annotations

from pydantic import Field

from caduceus.train.settings import Checkpoints, Optimiser, Protocol, Settings, Training


class TuningSchedule(Settings):
    """Linear warm-up from ``start``, over a cosine from the first step on.

    Attributes:
        warmup: share of the steps that warm up.
        end: of the last step, as a share of the learning rate.
    """

    warmup: float = Field(default=0.01, ge=0, lt=1)
    start: float = Field(default=1e-6, ge=0)
    end: float = Field(default=0.1, ge=0, le=1)


class Tuning(Settings):
    """Everything that the training of a labelled task is told, except model and data.

    Attributes:
        seed: of the head, the order of the rows and their strands.
        protocol: "sound", or "official" with the defects of the authors' pipeline.
        epochs: over the training split; each ends with a validation, and the best by validation is the result.
        batch: rows of a step.
        per_device: rows at once; null: as many as hold 16,384 tokens. The CNN of a recipe reads a batch at once.
        accelerator, precision, workers, threads: as for pretraining; a task takes one device.
    """

    seed: int = Field(default=0, ge=0, lt=1 << 32)
    protocol: Protocol = "sound"
    epochs: int = Field(default=10, gt=0)
    batch: int = Field(default=128, gt=0)
    per_device: int | None = Field(default=None, gt=0)
    optimiser: Optimiser = Optimiser(lr=1e-3, betas=(0.9, 0.999))
    schedule: TuningSchedule = TuningSchedule()
    checkpoints: Checkpoints = Checkpoints()
    accelerator: str = "auto"
    precision: str = "auto"
    workers: int = Field(default=0, ge=0)
    threads: int | None = Field(default=None, gt=0)

    def training(self, steps: int) -> Training:
        """The same for Lightning's Trainer, over so many updates."""
        return Training(
            seed=self.seed,
            protocol=self.protocol,
            max_steps=steps,
            optimiser=self.optimiser,
            checkpoints=self.checkpoints,
            accelerator=self.accelerator,
            devices=1,
            precision=self.precision,
            workers=self.workers,
            threads=self.threads,
        )
