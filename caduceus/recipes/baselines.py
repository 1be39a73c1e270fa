"""What a model is set beside: itself before training, and models that count. Scored once, before training begins."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from caduceus.construct import build
from caduceus.data import IntervalIds, Intervals, MaskedLMData, Score, context_models
from caduceus.recipes.errors import Refused
from caduceus.recipes.prepare import Splits
from caduceus.recipes.pretraining import Pretraining
from caduceus.recipes.run_dir import BASELINES, RunFolder, json_text
from caduceus.train.bar import say
from caduceus.train.batches import plan_batches
from caduceus.train.scoring import as_evaluated, score, spread

Bits = dict[str, float | None]


def keep_baselines(recipe: Pretraining, folder: RunFolder, splits: Splits, device: Any) -> None:
    """Write baselines.json, unless it is there: by split ("valid", "test") and model, bits per base by kind."""
    if (folder.path / BASELINES).is_file():
        return
    say("models to compare with: counting, and the untrained model")
    train = IntervalIds(splits.genome, _at_most(splits.train.windows.rows, recipe.context.bases))
    counting = context_models(train, one_sided=recipe.context.one_sided, two_sided=recipe.context.two_sided)
    untrained = build(recipe.spec, backend=recipe.backend, seed=recipe.seed, device=device)
    found = {}
    for split, data, share in held_out(recipe, splits):
        rows = IntervalIds(splits.genome, data.windows.rows)
        by_order = {
            side: {str(k): bits(model.score(rows)) for k, model in models.items()} for side, models in counting.items()
        }
        found[split] = {"untrained": bits(score_share(recipe, untrained, data, share, "untrained model")), **by_order}
    folder.write(BASELINES, json_text(found))


def read_baselines(folder: RunFolder) -> dict[str, Any]:
    """What `keep_baselines` wrote; empty if it has not."""
    path = folder.path / BASELINES
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def held_out(recipe: Pretraining, splits: Splits) -> tuple[tuple[str, MaskedLMData, float], ...]:
    """Name, samples and the share of them that is scored, of each split that is not trained on."""
    return (
        ("valid", splits.valid, recipe.validation.share),
        ("test", splits.test, recipe.validation.test_share),
    )


def score_share(recipe: Pretraining, model: Any, data: MaskedLMData, share: float, what: str) -> Score:
    """The score of what a model is evaluated as, on this share of the windows."""
    per_device = plan_batches(recipe.batch, recipe.data.length, 1).per_device
    return score_some(as_evaluated(model, recipe.protocol), data, share, per_device, what)


def score_some(model: Any, data: MaskedLMData, share: float, per_device: int, what: str) -> Score:
    """The score of a model on this share of the windows, ``per_device`` at once; Refused if they ask for no base."""
    found = score(model, data, spread(len(data), share), per_device, f"{data.windows.split}: {what}")
    if found is None or not found.targets:
        raise Refused(f"the {data.windows.split} windows hold no masked base; give longer intervals")
    return found


def bits(found: Score) -> Bits:
    """Bits per base of all bases and by kind, as JSON has them."""
    return {"all": found.bits_per_base, **found.bits_by_kind()}


def over_all(by_model: Mapping[str, Any]) -> dict[str, Any]:
    """Bits per base alone, of what `bits` gave, by model; counting models nested by order.

    >>> over_all({"untrained": {"all": 2.0, "A": 1.9}, "one_sided": {"5": {"all": 1.9}}})
    {'untrained': 2.0, 'one_sided': {'5': 1.9}}
    """
    return {name: each["all"] if "all" in each else over_all(each) for name, each in by_model.items()}


def _at_most(intervals: Intervals, bases: int) -> Intervals:
    """Evenly spaced intervals that hold about this many bases."""
    total = int((intervals.end - intervals.start).sum())
    return intervals.take(spread(len(intervals), min(1.0, bases / max(total, 1))))
