"""What a training run is told; recipes inherit these fields. Defaults are the paper's (docs/published_models.md 9)."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Protocol = Literal["sound", "official"]
_TIME = re.compile(r"(?:(\d+):)?(\d+):([0-5]?\d):([0-5]?\d)")


class Settings(BaseModel):
    """Frozen fields without strangers; the base of every group of them.

    Attributes:
        unbound: names of fields that change nothing in what comes out, only how it is come by.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())
    unbound: ClassVar[frozenset[str]] = frozenset()


class Optimiser(Settings):
    """AdamW. Biases, embeddings, ``A_log`` and ``D`` do not decay.

    Attributes:
        clip: largest global norm of the gradient; null for no limit.
    """

    lr: float = Field(default=8e-3, gt=0)
    betas: tuple[float, float] = (0.9, 0.95)
    eps: float = Field(default=1e-8, gt=0)
    weight_decay: float = Field(default=0.1, ge=0)
    clip: float | None = Field(default=1.0, gt=0)


class Schedule(Settings):
    """Linear warm-up from ``start``, then a cosine down to ``end``.

    Attributes:
        warmup: share of the steps that warm up.
    """

    warmup: float = Field(default=0.1, ge=0, lt=1)
    start: float = Field(default=1e-6, ge=0)
    end: float = Field(default=1e-4, ge=0)


class Batch(Settings):
    """How many tokens make a step.

    Attributes:
        tokens: of one step, over all devices; a multiple of the length of a sequence.
        per_device: sequences that a device takes at once; null: as many as 16,384 tokens hold. Gradients of several
            such micro-batches are added up to make the step.
    """

    tokens: int = Field(default=1 << 20, gt=0)
    per_device: int | None = Field(default=None, gt=0)


class Validation(Settings):
    """When, and on how much held-out sequence.

    Attributes:
        every: share of the steps between two validations.
        share: of the validation windows, evenly spaced, each time.
        test_share: of the test windows, once, at the end.
    """

    every: float = Field(default=0.2, gt=0, le=1)
    share: float = Field(default=0.125, gt=0, le=1)
    test_share: float = Field(default=0.125, gt=0, le=1)


class Checkpoints(Settings):
    """How often a run can be continued from, and how many such points are kept.

    Attributes:
        every: steps between two checkpoints; one is also written at the end and when a signal arrives.
    """

    every: int = Field(default=500, gt=0)
    keep: int = Field(default=2, gt=0)


class Training(Settings):
    """Everything a training run is told, except what it trains and on what.

    Attributes:
        seed: of the initial weights, the order of the samples and their masks.
        protocol: "sound", or "official" with the defects of the authors' pipeline.
        accelerator, devices, num_nodes, strategy: as Lightning's Trainer takes them.
        precision: as Lightning's Trainer takes it; "auto" is bf16-mixed on a CUDA device and 32-true elsewhere.
        checkpoint_activations: compute each layer again in the backward instead of keeping what it holds.
        compile: run each layer through torch.compile, on a backend whose kernels it can take.
        workers: processes that read data, per device; "auto" is up to 8 for a CUDA device and none elsewhere.
        threads: that torch computes with on the CPU; null leaves it to torch.
        max_time: stop with a checkpoint after this long, as DD:HH:MM:SS or HH:MM:SS; counted anew each time it runs.
        loggers: where the rows of metrics.csv go too.
    """

    unbound = frozenset({"checkpoints", "checkpoint_activations", "workers", "max_time", "loggers"})

    seed: int = Field(default=0, ge=0, lt=1 << 32)
    protocol: Protocol = "sound"
    max_steps: int = Field(default=10_000, gt=0)
    batch: Batch = Batch()
    optimiser: Optimiser = Optimiser()
    schedule: Schedule = Schedule()
    validation: Validation = Validation()
    checkpoints: Checkpoints = Checkpoints()
    accelerator: str = "auto"
    devices: int | Literal["auto"] = "auto"
    num_nodes: int = Field(default=1, gt=0)
    strategy: str = "auto"
    precision: str = "auto"
    checkpoint_activations: bool = False
    compile: bool = False
    workers: int | Literal["auto"] = "auto"
    threads: int | None = Field(default=None, gt=0)
    max_time: str | None = None
    loggers: tuple[Literal["tensorboard", "wandb"], ...] = ()

    @field_validator("max_time")
    @classmethod
    def _is_time(cls, text: str | None) -> str | None:
        if text is not None and not _TIME.fullmatch(text):
            raise ValueError(f"expected DD:HH:MM:SS or HH:MM:SS, such as 02:00:00 for two hours, got {text!r}")
        return text

    @model_validator(mode="after")
    def _numbers(self) -> Training:
        for name in ("devices", "workers"):
            value = getattr(self, name)
            if value != "auto" and value < (name == "devices"):
                raise ValueError(f'{name} is {value}, expected "auto" or a number from {int(name == "devices")} on')
        return self

    @property
    def time_limit(self) -> float | None:
        """``max_time`` in seconds.

        >>> Training(max_time="1:02:00:05").time_limit, Training(max_time="02:00:00").time_limit
        (93605.0, 7200.0)
        """
        found = _TIME.fullmatch(self.max_time or "")
        if found is None:
            return None
        days, hours, minutes, seconds = (int(n or 0) for n in found.groups())
        return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)

    @property
    def validation_steps(self) -> int:
        """Steps between two validations."""
        return max(1, round(self.max_steps * self.validation.every))
