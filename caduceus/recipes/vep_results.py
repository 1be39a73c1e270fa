"""AUROC of a long-range run by bucket and arm: intervals, the gain over each control, published numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from caduceus.evaluate.intervals import Draws
from caduceus.evaluate.metrics import score
from caduceus.recipes.progress import Progress
from caduceus.recipes.run_dir import RunFolder
from caduceus.recipes.schema import Recipe, Results
from caduceus.recipes.vep_arms import Arms
from caduceus.recipes.vep_buckets import Bucket
from caduceus.recipes.vep_svm import Told, told
from caduceus.recipes.vep_work import Work

# The paper has a figure (4) and no table; the one number that is known stands in a review of it.
PUBLISHED = {"100 kb and more": {"Caduceus-PS 7.7M, chromosomes 9 and 10": 0.586}}
_LENGTH, _TEST = 131_072, {"9", "10"}


def bucket_results(
    work: Work, embedded: dict[str, np.ndarray], known: Collection[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name of each bucket that is not ``known``, and plain values for results.json."""
    work.leave_out_unknown(embedded)
    arms = Arms(work, embedded).by_name()
    buckets = work.buckets()
    progress = Progress(len(arms) * len(buckets), len(arms) * len(known), "tests of an arm")
    for bucket in buckets:
        if bucket.name in known:
            continue
        said: dict[str, Told] = {}
        for name, arm in arms.items():
            if not bucket.problem:
                said[name] = told(work.recipe, arm, bucket, work.snps.labels)
            progress.add(1)
        drawn = {name: _drawn(work, bucket, each) for name, each in said.items()}
        yield (
            bucket.name,
            {
                "rows": {"train": len(bucket.train), "valid": len(bucket.valid), "test": len(bucket.test)},
                "problem": bucket.problem or None,
                "arms": {name: _arm(each, drawn[name], drawn["model"]) for name, each in said.items()},
                "published": _published(work, bucket.name),
            },
        )
    progress.close()


def _drawn(work: Work, bucket: Bucket, said: Told) -> Draws:
    """The score of draws of variants, each with all of its tissues."""
    groups = work.allele[bucket.test]
    return Draws.of("auroc", said.predictions, resamples=work.recipe.resamples, groups=groups)


def _arm(said: Told, ours: Draws, model: Draws) -> dict[str, Any]:
    """One arm's score, and the model's gain over it."""
    found: dict[str, Any] = {
        "auroc": ours.interval().to_dict(),
        "seeds": [score("auroc", each) for each in said.predictions],
        "c": said.c,
        "chosen_by": {f"{c:g}": value for c, value in said.by.items()},
    }
    if ours is not model:
        found["gain"] = model.minus(ours).interval().to_dict()
    return found


def _published(work: Work, bucket: str) -> dict[str, Any]:
    """Scores of others, and what keeps them from being compared with; null if nothing does."""
    if bucket not in PUBLISHED:
        return {}
    recipe = work.recipe
    against = None
    if recipe.protocol != "official":
        against = "protocol sound: the published one chooses C by the test rows and scores decided classes"
    elif recipe.length != _LENGTH:
        against = f"windows of {recipe.length:,} bases, published ones have {_LENGTH:,}"
    elif (contigs := work.test_contigs()) != _TEST:
        against = f"other test rows: of the contigs {', '.join(sorted(contigs)[:5])}, published ones are of 9 and 10"
    return {"scores": PUBLISHED[bucket], "not_comparable": against}


def table(recipe: Recipe, folder: RunFolder, results: Results) -> str:
    """What a finished run says on the terminal."""
    return "\n".join(_lines(recipe, folder, results))


def _lines(recipe: Recipe, folder: RunFolder, results: Results) -> Iterator[str]:
    yield ""
    yield f"{recipe.name}: {results['alleles']:,} variants in {sum(results['rows'].values()):,} rows"
    yield from (f"  {count:>9,}  not scored: {why}" for why, count in results["not_scored"].items())
    for name, bucket in results["buckets"].items():
        yield ""
        yield f"{name}: " + ", ".join(f"{count:,} {split}" for split, count in bucket["rows"].items())
        if bucket["problem"]:
            yield f"  nothing to say: {bucket['problem']}"
        for arm, found in bucket["arms"].items():
            label = arm if arm == "model" else f"[{arm}]"
            gain = f"   model better by {_shown(found['gain'])}" if "gain" in found else f"   C {_chosen(found)}"
            yield f"  {label:<16}AUROC {_shown(found['auroc'])}{gain}"
        published = bucket["published"]
        for who, value in published.get("scores", {}).items():
            mark = f"  (not comparable; {published['not_comparable']})" if published["not_comparable"] else ""
            yield f"  {'published':<16}AUROC {value:.3f}  {who}{mark}"
    yield f"\nprotocol {results['protocol']}; controls are in brackets, 95 % intervals over variants"
    yield from (f"written     {folder.path / name}" for name in results["outputs"])


def _chosen(found: dict[str, Any]) -> str:
    unknown = all(value is None for value in found["chosen_by"].values())
    return f"{found['c']:g}" + (", the first: no validation rows of both labels to choose by" if unknown else "")


def _shown(found: dict[str, Any]) -> str:
    if found["value"] is None:
        return "none"
    inside = f" ({found['low']:.3f} to {found['high']:.3f})" if found["low"] is not None else ""
    return f"{found['value']:.3f}{inside}"
