"""Long-range variant effects: embed every allele once, chunk by chunk, then train SVMs on what was kept."""

from __future__ import annotations

import json

import numpy as np

from caduceus.recipes.answering import begin, introduce
from caduceus.recipes.asking import needed
from caduceus.recipes.growing import Growing, grow
from caduceus.recipes.progress import Progress
from caduceus.recipes.run_dir import RunFolder, json_text
from caduceus.recipes.schema import Results
from caduceus.recipes.vep_eqtl import VepEqtl
from caduceus.recipes.vep_results import bucket_results
from caduceus.recipes.vep_work import REASONS, Work
from caduceus.train.bar import say
from caduceus.train.signals import Signals

_BUCKETS = "buckets.json"


def run(recipe: VepEqtl, files: dict[str, str], folder: RunFolder) -> Results:
    """Embed, keep, compare; what was embedded before is not embedded again."""
    needed("sklearn.svm", "evaluate")
    with Signals() as signals:
        work = _announced(recipe, files)
        begin(recipe, files, folder)
        outputs = Growing(folder.path, work.outputs)
        if outputs.done == 0:
            outputs.append(work.header())
        progress = _embed(work, outputs, signals)
        outputs.finish(dict.fromkeys(work.outputs, b""))
        say("training the SVMs")
        results = _results(work, folder, progress)
        folder.finish(results)
        outputs.forget()
        (folder.path / _BUCKETS).unlink(missing_ok=True)
        return results


def check(recipe: VepEqtl, files: dict[str, str]) -> None:
    """Everything short of embedding."""
    needed("sklearn.svm", "evaluate")
    work = _announced(recipe, files)
    for bucket in work.buckets():
        counts = f"{len(bucket.train):,} train, {len(bucket.valid):,} valid, {len(bucket.test):,} test"
        say(f"rows   {bucket.name}: {bucket.problem or counts}")
    passes = 2 * len(work.alleles) * len(work.outputs)
    say(f"work   about {passes:,} windows of {recipe.length:,} bases; at most {work.chunk} variants between two saves")
    say("ready")


def _embed(work: Work, outputs: Growing, signals: Signals) -> Progress:
    first = outputs.done - 1
    done = min(first * work.chunk, len(work.alleles))
    if first > 0:
        say(f"continuing from variant {done + 1:,}")
    progress = Progress(len(work.alleles), done, "variants")
    grow(outputs, work.pieces(first), progress, signals)
    return progress


def _results(work: Work, folder: RunFolder, progress: Progress) -> Results:
    """What is said of each bucket is kept at once: its SVMs may take an hour."""
    embedded = {name: np.load(folder.path / name, mmap_mode="r") for name in work.outputs}
    kept = folder.path / _BUCKETS
    buckets = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    for name, found in bucket_results(work, embedded, set(buckets)):
        buckets[name] = found
        folder.write(_BUCKETS, json_text(buckets))
    return {
        "protocol": work.recipe.protocol,
        "alleles": len(work.alleles),
        "rows": work.rows(),
        "test_variants_in_training": work.seen(),
        "not_scored": dict(sorted(work.left_out.items())),
        "renamed": work.survey.renamed,
        "buckets": buckets,
        "outputs": list(work.outputs),
        "seconds": progress.seconds,
        "per_minute": progress.per_minute,
    }


def _announced(recipe: VepEqtl, files: dict[str, str]) -> Work:
    work = Work(recipe, files)
    introduce(recipe, work.model)
    for line in str(work.survey).splitlines():
        say(f"data   {line}")
    for word, count in work.left_out.items():
        if word in REASONS:
            say(f"data   {count:,} rows not: {REASONS[word]}")
    if seen := work.seen():
        say(f"data   {seen:,} variants of test rows are in rows for training or validation too")
    return work
