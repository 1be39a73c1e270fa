"""Variants of a file to scores, in constant memory: checked, surveyed, and scored chunk by chunk."""

from __future__ import annotations

from caduceus.predict.variant_table import CHUNK
from caduceus.recipes.answering import begin, introduce
from caduceus.recipes.growing import Growing, grow
from caduceus.recipes.progress import Progress
from caduceus.recipes.run_dir import REPORT, RunFolder
from caduceus.recipes.schema import Results
from caduceus.recipes.variant_report import concluded
from caduceus.recipes.variant_scoring import VariantScoring
from caduceus.recipes.variant_text import holds_scores
from caduceus.recipes.variant_work import Work
from caduceus.train.bar import say
from caduceus.train.signals import Signals


def run(recipe: VariantScoring, files: dict[str, str], folder: RunFolder) -> Results:
    """Survey, score, rank; what was done before is continued."""
    with Signals() as signals:
        work = _announced(recipe, files)
        begin(recipe, files, folder)
        work.begin_scoring()
        outputs = Growing(folder.path, work.outputs)
        if outputs.done == 0:
            outputs.append(work.header())
        progress = _score(work, outputs, signals)
        outputs.finish(work.ending())
        results, page = concluded(recipe, _results(work, progress), folder.path, folder.environment())
        folder.write(REPORT, page)
        folder.finish(results)
        outputs.forget()
        return results


def check(recipe: VariantScoring, files: dict[str, str]) -> None:
    """Everything short of scoring."""
    work = _announced(recipe, files)
    say(f"shard {recipe.shard}: {len(work.chunks):,} of {-(-work.survey.records // CHUNK):,} chunks of {CHUNK} records")
    say("ready")


def _score(work: Work, outputs: Growing, signals: Signals) -> Progress:
    first = work.chunks.start + outputs.done - 1
    total = min(work.chunks.stop * CHUNK, work.survey.records) - work.chunks.start * CHUNK
    progress = Progress(max(total, 0), (first - work.chunks.start) * CHUNK, "records")
    if outputs.done > 1:
        say(f"continuing from record {first * CHUNK + 1:,}")
    grow(outputs, ((work.pieces(records), len(records)) for records in work.records(first)), progress, signals)
    return progress


def _results(work: Work, progress: Progress) -> Results:
    found = work.survey
    return {
        "records": found.records,
        "alleles": found.alleles,
        "scored": found.scored,
        "not_scored": dict(sorted(found.reasons.items())),
        "mismatched": found.mismatched,
        "renamed": found.renamed,
        "shard": work.recipe.shard,
        "records_of_shard": progress.total,
        "seconds": progress.seconds,
        "per_minute": progress.per_minute,
        "outputs": [*work.outputs, REPORT],
    }


def _announced(recipe: VariantScoring, files: dict[str, str]) -> Work:
    work = Work(recipe, files)
    introduce(recipe, work.model)
    if holds_scores(work.file):
        say("data   the scores that the file holds, of an earlier run, are replaced")
    for line in str(work.survey).splitlines():
        say(f"data   {line}")
    return work
