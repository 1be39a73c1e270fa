"""Variants scored as `score_variants` does, and by a plain loop over them: the same scores, timed in turns."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial

import numpy as np

from caduceus.bench.clock import Turns, interleave
from caduceus.bench.devices import DEVICES
from caduceus.bench.loop import LOOPS
from caduceus.data import Allele, Genome, VariantFile, survey
from caduceus.predict.scoring import Score, Scorer, Scoring
from caduceus.predict.variant_table import judge_for
from caduceus.recipes.answering import begin, introduce
from caduceus.recipes.environment import load
from caduceus.recipes.errors import Refused
from caduceus.recipes.prepare import refusing
from caduceus.recipes.run_dir import RESULTS, RunFolder
from caduceus.recipes.schema import Results
from caduceus.recipes.variant_bench import VariantBench
from caduceus.train.bar import say
from caduceus.train.machine import kernels, threads

TOLERANCE = 1e-3
"""Largest difference of a score: a pseudo-log-likelihood sums over dozens of bases."""


@dataclass(frozen=True)
class Way:
    """A scorer that is given ``at_once`` alleles at a time."""

    scorer: Scorer
    at_once: int

    def __call__(self, alleles: list[Allele]) -> list[Score]:
        parts = (alleles[i : i + self.at_once] for i in range(0, len(alleles), self.at_once))
        return [score for part in parts for score in self.scorer(part)]


def run(recipe: VariantBench, files: dict[str, str], folder: RunFolder) -> Results:
    """Agree, then time everybody in turns. A run that was stopped begins again."""
    alleles, ways = _prepared(recipe, files)
    begin(recipe, files, folder)
    before, errors = load(), _disagreement(alleles, ways)
    calls = {name: partial(way, alleles) for name, way in ways.items()}
    times = interleave(calls, DEVICES["cpu"], Turns(rounds=recipe.rounds, warmup=0, seconds=0.0))
    subject = next(iter(ways))
    results: Results = {
        "alleles": len(alleles),
        "indels": sum(len(a.ref) != len(a.alt) for a in alleles),
        "subject": subject,
        "threads": threads(),
        "load": {"before": before, "after": load()},
        "disagreement": errors,
        "times": {name: asdict(found) for name, found in times.items()},
        "per_minute": {name: 60 * len(alleles) / found.median for name, found in times.items()},
        "ratio": {name: found.median / times[subject].median for name, found in times.items()},
    }
    folder.finish(results)
    return results


def check(recipe: VariantBench, files: dict[str, str]) -> None:
    """Everything short of timing."""
    alleles, ways = _prepared(recipe, files)
    say(f"time   {len(alleles):,} alleles: {', '.join(ways)}")
    say("ready")


def summary(recipe: VariantBench, folder: RunFolder, results: Results) -> str:
    """What a finished run says on the terminal."""
    lines = [f"\n{recipe.name}: {results['alleles']:,} alleles, {results['indels']:,} of them insertions or deletions"]
    for name, rate in results["per_minute"].items():
        spread = f"spread {100 * results['times'][name]['spread']:.0f} %"
        lines.append(f"  {name:<28}{rate:>9,.1f} a minute  {results['ratio'][name]:7.1f} times as long  {spread}")
    return "\n".join([*lines, f"written     {folder.path / RESULTS}"])


def _prepared(recipe: VariantBench, files: dict[str, str]) -> tuple[list[Allele], dict[str, Way]]:
    """What is scored, and by whom: first as `score_variants` does, then the loops over variants."""
    with refusing():
        model, genome = recipe.load_model(), Genome(files["fasta"])
        introduce(recipe, model)
        alleles = _alleles(recipe, VariantFile(files["variants"]), model, genome)
        scoring = Scoring(recipe.window, recipe.radius, recipe.neighbours, recipe.tokens)
        subject = kernels(recipe.backend, recipe.accelerator).name
        ways = {subject: Way(Scorer(model, genome, scoring), len(alleles))}
        alone = Scoring(recipe.window, recipe.radius, recipe.neighbours, tokens=1)
        for name in recipe.peers:
            backend = LOOPS[name]() if name in LOOPS else kernels(name, recipe.accelerator)
            ways[f"{name}, one by one"] = Way(Scorer(recipe.load_model(backend), genome, alone), 1)
    return alleles, ways


def _alleles(recipe: VariantBench, file: VariantFile, model: object, genome: Genome) -> list[Allele]:
    """Those of records at even distances that can be scored."""
    judge = judge_for(model, genome, recipe.window, recipe.longest)
    found = survey(file, judge, most_mismatched=recipe.most_mismatched)
    step = max(1, found.records // recipe.records)
    chosen = (record for i, record in enumerate(file.records()) if i % step == step // 2)
    alleles = [a for record, _ in zip(chosen, range(recipe.records), strict=False) for a in judge(record)]
    scored = [allele for allele in alleles if isinstance(allele, Allele)]
    if not scored:
        raise Refused(f"none of {recipe.records} records of {file.path} can be scored; give a larger records")
    return scored


def _disagreement(alleles: list[Allele], ways: dict[str, Way]) -> dict[str, float]:
    """By name, the largest difference of a score from the first's; Refused where it is no rounding."""
    expected, *others = [np.array(way(alleles)) for way in ways.values()]
    errors = {}
    for name, found in zip(list(ways)[1:], others, strict=True):
        np.testing.assert_array_equal(np.isnan(found), np.isnan(expected), err_msg=f"{name} scores other alleles")
        errors[name] = float(np.nanmax(np.abs(found - expected)))
        if not errors[name] <= TOLERANCE:
            raise Refused(f"{name} differs by {errors[name]:.3g}, expected at most {TOLERANCE:g}: not the same scores")
    return errors
