"""What a run folder tells at any time: its table, its baselines, and, once it is finished, its results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from caduceus.data import Score
from caduceus.recipes.baselines import Bits, read_baselines
from caduceus.recipes.pretraining import Pretraining
from caduceus.recipes.run_dir import RunFolder
from caduceus.recipes.schema import Results
from caduceus.train.fit import METRICS
from caduceus.train.metrics import MetricsFile, Row, bits_column


@dataclass(frozen=True)
class Record:
    """Of a run that may still go on.

    Attributes:
        rows: of metrics.csv. baselines: as in baselines.json. results: None while the run goes on.
    """

    recipe: Pretraining
    environment: dict[str, Any]
    rows: list[Row]
    baselines: dict[str, Any]
    results: Results | None

    @classmethod
    def of(cls, folder: RunFolder, results: Results | None = None) -> Record:
        """Read the folder of a pretraining run; ``results`` are given before they are written."""
        recipe = folder.recipe
        assert isinstance(recipe, Pretraining)
        if results is None and folder.finished:
            results = folder.results()
        rows = MetricsFile(folder.path / METRICS).rows()
        return cls(recipe, folder.environment(), rows, read_baselines(folder), results)

    @property
    def validations(self) -> list[Row]:
        """The rows of the steps after which the model was scored."""
        return [row for row in self.rows if row.get("valid/bits_per_base") is not None]

    @property
    def by_kind(self) -> dict[str, Any] | None:
        """Bits per base by model and kind: of the test once it is done, before that of the latest validation."""
        if self.results is not None:
            found: dict[str, Any] = self.results["by_kind"]
            return found
        if not (self.validations and self.baselines):
            return None
        latest = self.validations[-1]
        kinds: Bits = {kind: latest.get(bits_column(kind)) for kind in Score.KINDS}
        return {"model": {"all": latest["valid/bits_per_base"], **kinds}, **self.baselines["valid"]}

    @property
    def tokens_per_second(self) -> float | None:
        """Over the whole run, validations included."""
        last = self.rows[-1] if self.rows else {}
        tokens, seconds = last.get("tokens"), last.get("seconds")
        return tokens / seconds if tokens and seconds else None

    @property
    def waiting(self) -> float | None:
        """Share of a step's time that was spent waiting for data, on average; None if it was not measured."""
        shares = _steps(self.rows, "train/waiting")
        return float(shares.mean()) if len(shares) else None

    @property
    def largest_equivariance_error(self) -> float | None:
        """Over the validations during training."""
        errors = _steps(self.validations, "valid/equivariance_error")
        return float(errors.max()) if len(errors) else None


def _steps(rows: list[Row], name: str) -> np.ndarray:
    """A column's values (n,), of the rows that have one."""
    return np.array([row[name] for row in rows if row.get(name) is not None], dtype=float)
