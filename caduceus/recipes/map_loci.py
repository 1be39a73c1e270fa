"""Loci to a table and a page: checked, mapped chunk by chunk, compared with what was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from caduceus.recipes.answering import begin, introduce, parameters
from caduceus.recipes.asking import needed
from caduceus.recipes.growing import Growing, grow
from caduceus.recipes.loci import counted
from caduceus.recipes.mutagenesis import Mutagenesis
from caduceus.recipes.mutagenesis_agreement import agreement
from caduceus.recipes.mutagenesis_report import report
from caduceus.recipes.mutagenesis_table import TABLE, Piece, header, is_reference, lines, of_reference, read_pieces
from caduceus.recipes.mutagenesis_work import Work
from caduceus.recipes.progress import Progress
from caduceus.recipes.run_dir import REPORT, RunFolder
from caduceus.recipes.schema import Results
from caduceus.train.bar import say
from caduceus.train.signals import Signals


def run(recipe: Mutagenesis, files: dict[str, str], folder: RunFolder) -> Results:
    """Map, compare, draw; what was done before is continued."""
    _need(recipe)
    with Signals() as signals:
        work = _announced(recipe, files)
        begin(recipe, files, folder)
        work.begin_mapping()
        outputs = Growing(folder.path, (TABLE,))
        if outputs.done == 0:
            outputs.append({TABLE: header().encode()})
        seconds = _map(work, outputs, signals)
        outputs.finish({TABLE: b""})
        results = _results(work, folder.path / TABLE, seconds)
        folder.write(REPORT, report(recipe, results, folder.path / TABLE, folder.environment()))
        folder.finish(results)
        outputs.forget()
        return results


def check(recipe: Mutagenesis, files: dict[str, str]) -> None:
    """Everything short of mapping."""
    _need(recipe)
    _announced(recipe, files)
    say("ready")


def _need(recipe: Mutagenesis) -> None:
    """What comparing takes, before any work is done."""
    if recipe.measured:
        needed("scipy.stats", "evaluate")


def _map(work: Work, outputs: Growing, signals: Signals) -> float:
    """Append what is not there yet; the seconds that it took."""
    done = outputs.done - 1
    sizes = [chunk.end - chunk.start for chunk in work.chunks]
    progress = Progress(sum(sizes), sum(sizes[:done]), "bases")
    if done:
        say(f"continuing with {work.chunks[done].locus}" if done < len(sizes) else "every locus is mapped")
    left = zip(work.chunks[done:], sizes[done:], strict=True)
    grow(outputs, (({TABLE: lines(work.piece(chunk)).encode()}, size) for chunk, size in left), progress, signals)
    return progress.seconds


def _results(work: Work, table: Path, seconds: float) -> Results:
    loci = [_told(piece) for piece in read_pieces(table)]
    results: Results = {
        "loci": loci,
        "bases": sum(locus["bases"] for locus in loci),
        "parameters": parameters(work.model),
        "seconds": seconds,
        "outputs": [TABLE, REPORT],
    }
    if work.effects and work.recipe.measured:
        found = agreement(read_pieces(table), work.recipe.measured.resamples)
        results["measured"] = {"alleles": work.effects.counts, "groups": found}
    return results


def _told(piece: Piece) -> dict[str, object]:
    """A locus in a few numbers."""
    changes = piece.numbers["llr"][~is_reference(piece)]
    return {
        "locus": str(piece.locus),
        "bases": len(piece.reference),
        "bits_per_base": float(-np.log2(of_reference(piece, "probability")).mean()),
        "mean_llr": float(changes.mean()),
        "splits": sorted(set(piece.splits) - {""}),
    }


def _announced(recipe: Mutagenesis, files: dict[str, str]) -> Work:
    work = Work(recipe, files)
    introduce(recipe, work.model)
    bases = sum(locus.end - locus.start for locus in work.loci)
    say(f"data   {counted(len(work.loci))} of {bases:,} bases, each base read in {recipe.window:,}")
    if work.effects:
        say("data   measured: " + ", ".join(f"{count:,} {name}" for name, count in work.effects.counts.items()))
    return work
