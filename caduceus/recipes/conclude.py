"""The end of a pretraining run: the test, what it is set beside, the model, the results, the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from caduceus.check import equivariance_error
from caduceus.checkpoint import save_pretrained
from caduceus.construct import build
from caduceus.data import IntervalIds, Intervals, context_baselines
from caduceus.parts import Model
from caduceus.recipes.errors import Refused
from caduceus.recipes.prepare import Splits
from caduceus.recipes.pretraining import Pretraining
from caduceus.recipes.report import report
from caduceus.recipes.run_dir import MODEL, REPORT, RunFolder
from caduceus.recipes.schema import Results
from caduceus.train.bar import say
from caduceus.train.batches import plan_batches
from caduceus.train.fit import METRICS, Fitted
from caduceus.train.machine import device
from caduceus.train.metrics import MetricsFile
from caduceus.train.scoring import Score, as_evaluated, predict_each, score, spread

_CONTEXT, _SHOWN = 256, 60


@dataclass(frozen=True)
class Stretch:
    """What the model predicts on a stretch of held-out sequence, each base masked in its turn.

    Attributes:
        contig, start: of the first base that is shown.
        ids: (n,) the true bases. probabilities: (n, 4) of A, C, G, T.
    """

    contig: str
    start: int
    ids: np.ndarray
    probabilities: np.ndarray


def conclude(recipe: Pretraining, folder: RunFolder, model: Any, splits: Splits, fitted: Fitted) -> Results:
    """Score the trained model and what it is set beside; write model/, report.html and results.json, in this order."""
    where = "cpu" if recipe.accelerator == "cpu" else device()
    model.to(where).eval()
    evaluated = as_evaluated(model, recipe.protocol)
    trained = _score(recipe, evaluated, splits, "model")
    say(f"test   {trained.bits_per_base:.4f} bits per held-out base; now the models to compare with")
    untrained = build(recipe.spec, backend=recipe.backend, seed=recipe.seed, device=where)
    control = build(_one_strand(recipe.spec), backend=recipe.backend, weights=model.weights(), device=where)
    results: Results = {
        "bits_per_base": {
            "model": trained.bits_per_base,
            "untrained": _score(
                recipe, as_evaluated(untrained, recipe.protocol), splits, "untrained model"
            ).bits_per_base,
            "uniform": 2.0,
            **_context(recipe, splits),
        },
        "equivariance_error": equivariance_error(evaluated),
        "control_equivariance_error": equivariance_error(control),
        "tokens": fitted.tokens,
        "seconds": fitted.seconds,
        "protocol": recipe.protocol,
        "split": splits.test.windows.split,
        "targets": trained.targets,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    save_pretrained(model, folder.path / MODEL)
    rows = MetricsFile(folder.path / METRICS).rows()
    folder.write(REPORT, report(recipe, results, rows, folder.environment(), _stretch(evaluated, splits)))
    folder.finish(results)
    return results


def _context(recipe: Pretraining, splits: Splits) -> dict[str, dict[str, float]]:
    """Bits per base of the counting models, as JSON has them: orders are strings."""
    found = context_baselines(
        IntervalIds(splits.genome, _at_most(splits.train.windows.rows, recipe.context.bases)),
        IntervalIds(splits.genome, splits.test.windows.rows),
        one_sided=recipe.context.one_sided,
        two_sided=recipe.context.two_sided,
    )
    return {side: {str(k): bits for k, bits in by_order.items()} for side, by_order in found.items()}


def _score(recipe: Pretraining, model: Any, splits: Splits, what: str) -> Score:
    windows = spread(len(splits.test), recipe.validation.test_share)
    per_device = plan_batches(recipe.batch, recipe.data.length, 1).per_device
    found = score(model, splits.test, windows, per_device, f"test of the {what}")
    if found is None or not found.targets:
        raise Refused(f"the {splits.test.windows.split} windows hold no masked base; give longer intervals")
    return found


def _one_strand(spec: Model) -> Model:
    """The same network without the second strand: same size, same weights, nothing that makes it equivariant."""
    return Model.model_validate({**spec.to_dict(), "equivariance": "none"})


def _at_most(intervals: Intervals, bases: int) -> Intervals:
    """Evenly spaced intervals that hold about this many bases."""
    total = int((intervals.end - intervals.start).sum())
    return intervals.take(spread(len(intervals), min(1.0, bases / max(total, 1))))


def _stretch(model: Any, splits: Splits) -> Stretch:
    """The middle of the first test window: chosen before anything was seen."""
    window = splits.test.windows[0]
    middle = (window.start + window.end) // 2
    begin, end = max(window.start, middle - _CONTEXT // 2), min(window.end, middle + _CONTEXT // 2)
    ids = splits.genome.fetch_ids(window.contig, begin, end)
    shown = min(_SHOWN, len(ids))
    first = (len(ids) - shown) // 2
    probabilities = predict_each(model, ids, range(first, first + shown))
    return Stretch(window.contig, begin + first, ids[first : first + shown], probabilities)
