"""The recipe of a benchmark, as data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from caduceus.bench.work import Mode, Part, Precision, Work, cell_of
from caduceus.parts import Model
from caduceus.recipes.bench_sizes import SIZES, stands_for
from caduceus.recipes.pretraining import language_model
from caduceus.recipes.run_dir import RunFolder
from caduceus.recipes.schema import Recipe, Results
from caduceus.train.settings import Settings


class Shape(Settings):
    """Sequences of one call."""

    batch: int = Field(gt=0)
    length: int = Field(gt=0)


class Timing(Settings):
    """How contestants take turns, and how much of the machine one may take.

    Attributes:
        rounds, warmup: rounds that count and rounds before them that do not; each contestant has a turn in each.
        turn_seconds: that a turn lasts at least, in calls that are timed each.
        call_seconds: of one call, about; a contestant that needs more is measured on shorter sequences, and so marked.
        memory_gb: of one call, above weights and inputs; likewise. null: what is free.
    """

    rounds: int = Field(default=5, gt=0)
    warmup: int = Field(default=1, ge=0)
    turn_seconds: float = Field(default=0.2, ge=0)
    call_seconds: float = Field(default=10.0, gt=0)
    memory_gb: float | None = Field(default=12.0, gt=0)


class MachineLimits(Settings):
    """How the machine's own limits are measured.

    Attributes:
        seconds: for each of them and each number of threads.
        memory_mb: that the memory limits go through: more than any cache holds.
    """

    seconds: float = Field(default=0.5, gt=0)
    memory_mb: int = Field(default=192, gt=0)


class Bench(Recipe):
    """Times of a backend and its peers.

    Attributes:
        size: "full" or "quick"; sets the peers, the model, the shapes, the precision and the effort where they are not
            given, as they suit the device.
        model: a name of `caduceus.zoo`, or the fields of a `parts.Model` with a masked-LM head.
        backend: what is compared with the others: a name as `caduceus.build` takes it.
        peers: what it is compared with: backends by name, "transformers", "mamba_loop", "loop"
            and "authors" (`caduceus.bench.entries`).
        device: "cpu" or "cuda".
        precision: of what is timed; whether all compute the same is asked in float32.
        threads: of the CPU; null: as many as torch takes by itself.
        variants: what the whole models are: ph, ps, none.
        modes: "forward", "train".
        scan: shape of a selective scan alone; null leaves it out.
        layer: shapes of the first mixer alone, or one; null leaves it out.
        models: shapes of whole models.
        longest: batch, and the most length that is tried, of the longest sequences that fit; for the mixer alone and
            for whole models, where there are shapes of them. null leaves it out.
    """

    task: Literal["bench"]
    size: str = "full"
    model: str | dict[str, Any]
    peers: tuple[str, ...]
    device: str = "cpu"
    precision: Precision = "32-true"
    threads: int | None = Field(default=None, gt=0)
    variants: tuple[Literal["ph", "ps", "none"], ...] = ("ph", "ps")
    modes: tuple[Mode, ...] = ("forward", "train")
    scan: Shape | None = None
    layer: tuple[Shape, ...] = ()
    models: tuple[Shape, ...] = ()
    longest: Shape | None = None
    timing: Timing = Timing()
    limits: MachineLimits = MachineLimits()

    @model_validator(mode="before")
    @classmethod
    def _size(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        size = data.get("size", "full")
        if size not in SIZES:
            raise ValueError(f"size is {size!r}, expected one of {', '.join(SIZES)}")
        found = dict(data)
        for field, meant in stands_for(size, data.get("device")).items():
            given = data.get(field, meant)
            found[field] = meant | given if isinstance(meant, dict) and isinstance(given, dict) else given
        return found

    @field_validator("layer", mode="before")
    @classmethod
    def _shapes(cls, given: Any) -> Any:
        """One shape, or none, is a list of so many."""
        return [given] if isinstance(given, dict) else [] if given is None else given

    @field_validator("model")
    @classmethod
    def _resolved(cls, given: str | dict[str, Any]) -> str | dict[str, Any]:
        """A spec with every field, so that the resolved recipe says everything; a name stays a name."""
        spec = language_model(given, "a benchmark")
        return given if isinstance(given, str) else spec.to_dict()

    @model_validator(mode="after")
    def _works_can_be_made(self) -> Bench:
        list(self.works())  # raises where the model cannot be of a variant
        if self.scan is not None and cell_of(self.spec.bound_mixers()[0]) is None:
            raise ValueError("the model's first mixer has no selective scan to time alone; give scan: null")
        return self

    @property
    def spec(self) -> Model:
        """The model's spec, of its own variant."""
        return language_model(self.model, "a benchmark")

    def variant(self, name: str) -> Model:
        """The same model of another equivariance."""
        return Model.model_validate({**self.spec.to_dict(), "equivariance": name})

    def works(self) -> Iterator[Work]:
        """Everything that is timed, in order."""
        longest = None if self.longest is None else (self.longest, True)
        asked = [(shape, False) for shape in self.layer] + ([longest] if longest and self.layer else [])
        if self.scan is not None:
            yield from self._modes("scan", self.spec, self.scan)
        for shape, most in asked:
            yield from self._modes("layer", self.spec, shape, most)
        asked = [(shape, False) for shape in self.models] + ([longest] if longest and self.models else [])
        for shape, most in asked:
            for name in self.variants:
                yield from self._modes("model", self.variant(name), shape, most)

    def _modes(self, part: Part, spec: Model, shape: Shape, longest: bool = False) -> Iterator[Work]:
        for mode in self.modes:
            yield Work(part, mode, spec, shape.batch, shape.length, self.precision, longest)

    def check(self) -> None:
        from caduceus.recipes.bench_run import check

        check(self)

    def run(self, folder: RunFolder) -> Results:
        from caduceus.recipes.bench_run import run

        return run(self, folder)

    def summary(self, folder: RunFolder, results: Results) -> str:
        from caduceus.recipes.bench_table import summary

        return summary(self, folder, results)
