"""The end of a pretraining run: the test, the model, the results, the report."""

from __future__ import annotations

from typing import Any

from caduceus.check import equivariance_error
from caduceus.checkpoint import save_pretrained
from caduceus.construct import build
from caduceus.parts import Model
from caduceus.recipes.baselines import bits, over_all, read_baselines, score_share
from caduceus.recipes.prepare import Splits
from caduceus.recipes.pretraining import Pretraining
from caduceus.recipes.report import refresh
from caduceus.recipes.run_dir import MODEL, RESULTS, RunFolder
from caduceus.recipes.schema import Results
from caduceus.train.bar import say
from caduceus.train.fit import Fitted
from caduceus.train.refreshing import tried
from caduceus.train.scoring import as_evaluated, predict_each

_CONTEXT, _SHOWN = 256, 60


def conclude(
    recipe: Pretraining, folder: RunFolder, model: Any, splits: Splits, fitted: Fitted, device: Any
) -> Results:
    """Score the trained model beside its baselines; write model/, report.html and results.json, in this order."""
    model.to(device).eval()
    save_pretrained(model, folder.path / MODEL)
    evaluated = as_evaluated(model, recipe.protocol)
    trained = score_share(recipe, model, splits.test, recipe.validation.test_share, "trained model")
    say(f"test   {trained.bits_per_base:.4f} bits per held-out base")
    by_kind = {"model": bits(trained), **read_baselines(folder)["test"]}
    results: Results = {
        "bits_per_base": {"uniform": 2.0, **over_all(by_kind)},
        "equivariance_error": equivariance_error(evaluated),
        "control_equivariance_error": _one_strand_error(recipe, model, device),
        "tokens": fitted.tokens,
        "seconds": fitted.seconds,
        "protocol": recipe.protocol,
        "split": splits.test.windows.split,
        "targets": trained.targets,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "by_kind": by_kind,
        "stretch": _stretch(evaluated, splits),
    }
    tried(lambda: refresh(folder, results), f"{RESULTS} holds the results")
    folder.finish(results)
    return results


def _one_strand_error(recipe: Pretraining, model: Any, device: Any) -> float | None:
    """Of the same network and weights without the second strand: nothing makes it equivariant, nor is its error 0.

    None where parts of it join the strands: without the second one there is no such network.
    """
    if any(part.role == "strand_mixer" for part in recipe.spec.mixers):
        return None
    spec = Model.model_validate({**recipe.spec.to_dict(), "equivariance": "none"})
    return equivariance_error(build(spec, backend=recipe.backend, weights=model.weights(), device=device))


def _stretch(model: Any, splits: Splits) -> dict[str, Any]:
    """What the model predicts in the middle of the first test window, chosen before anything was seen.

    Each base is masked in its turn: the ``sequence`` from ``start`` on, and P(A, C, G, T) at each base of it.
    """
    window = splits.test.windows[0]
    middle = (window.start + window.end) // 2
    begin, end = max(window.start, middle - _CONTEXT // 2), min(window.end, middle + _CONTEXT // 2)
    ids = splits.genome.fetch_ids(window.contig, begin, end)
    shown = min(_SHOWN, len(ids))
    first = (len(ids) - shown) // 2
    probabilities = predict_each(model, ids, range(first, first + shown))
    return {
        "contig": window.contig,
        "start": begin + first,
        "sequence": splits.genome.fetch(window.contig, begin + first, begin + first + shown).upper(),
        "probabilities": probabilities.round(4).tolist(),
    }
