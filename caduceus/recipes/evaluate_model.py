"""A trained model asked for masked bases of held-out intervals, as pretraining asks at its end."""

from __future__ import annotations

from typing import Any

from caduceus.check import equivariance_error
from caduceus.data import Genome, Intervals, MaskedLMData, cut_windows
from caduceus.predict.models import inner_spec, language_model
from caduceus.recipes.answering import begin, introduce, parameters
from caduceus.recipes.baselines import bits, score_some
from caduceus.recipes.evaluation import Evaluation
from caduceus.recipes.prepare import HELD_OUT_SEED, refusing
from caduceus.recipes.run_dir import RunFolder
from caduceus.recipes.schema import Results
from caduceus.train.bar import say
from caduceus.train.scoring import as_evaluated, spread


def run(recipe: Evaluation, files: dict[str, str], folder: RunFolder) -> Results:
    """Score every length. A run that was stopped begins again."""
    model, sets = _prepared(recipe, files)
    begin(recipe, files, folder)
    first = recipe.lengths[0]
    untrained = None
    if recipe.control:
        untrained = _scored(recipe, recipe.untrained(model, recipe.seed), sets[first], first)
    found = {str(length): _scored(recipe, model, data, length) for length, data in sets.items()}
    results: Results = {
        "split": recipe.split,
        "lengths": found,
        "untrained": untrained,
        "equivariance_error": equivariance_error(as_evaluated(model, "sound")),
        "parameters": parameters(model),
    }
    folder.finish(results)
    return results


def check(recipe: Evaluation, files: dict[str, str]) -> None:
    """Load the model and cut the windows."""
    _prepared(recipe, files)
    say("ready")


def _prepared(recipe: Evaluation, files: dict[str, str]) -> tuple[Any, dict[int, MaskedLMData]]:
    """The model, and the samples of each length."""
    with refusing():
        model = recipe.load_model()
        language_model(model)  # or what it is instead
        introduce(recipe, model)
        genome, intervals = Genome(files["fasta"]), Intervals.read(files["intervals"])
        intervals.check(genome)
        sets = {}
        for length in recipe.lengths:
            windows = cut_windows(intervals, genome, recipe.split, length)
            say(f"data   {windows.report}")
            n_as = inner_spec(model).n_as
            sets[length] = MaskedLMData(genome, windows, seed=HELD_OUT_SEED, n_as=n_as, rate=recipe.mask)
    return model, sets


def _scored(recipe: Evaluation, model: Any, data: MaskedLMData, length: int) -> dict[str, Any]:
    what, at_once = f"windows of {length:,}", max(1, recipe.tokens // length)
    found = score_some(as_evaluated(model, "sound"), data, recipe.share, at_once, what)
    say(f"{recipe.split:<7}{found.bits_per_base:.4f} bits per masked base in {what}")
    return {"windows": len(spread(len(data), recipe.share)), "targets": found.targets, **bits(found)}
