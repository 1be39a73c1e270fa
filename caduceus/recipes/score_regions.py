"""Every base of the regions of a file to tracks, tile by tile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from caduceus.data import Genome, Region, bed_regions
from caduceus.predict import RegionScorer, Tiling
from caduceus.predict.regions import TRACKS
from caduceus.recipes.answering import begin, introduce
from caduceus.recipes.asking import needed
from caduceus.recipes.growing import Growing, grow
from caduceus.recipes.prepare import refusing
from caduceus.recipes.progress import Progress
from caduceus.recipes.region_report import report
from caduceus.recipes.region_scoring import RegionScoring
from caduceus.recipes.run_dir import REPORT, RunFolder
from caduceus.recipes.schema import Results
from caduceus.recipes.tracks import SUFFIX, tracks
from caduceus.train.bar import say
from caduceus.train.signals import Signals

# The tracks of every base, (bases, 3) float64, while they are computed: a bigWig file cannot be continued.
_VALUES = "values"
_TILES_AT_ONCE = 16


def run(recipe: RegionScoring, files: dict[str, str], folder: RunFolder) -> Results:
    """Score and write; what was scored before is not scored again."""
    if recipe.format == "bigwig":
        needed("pyBigWig", "predict")
    with Signals() as signals:
        scorer, regions = _prepared(recipe, files)
        begin(recipe, files, folder)
        outputs = Growing(folder.path, [_VALUES])
        spans = list(_spans(regions, recipe.tile * _TILES_AT_ONCE))
        done = sum(end - start for _, start, end, _ in spans[: outputs.done])
        progress = Progress(sum(end - start for _, start, end, _ in spans), done, "bases")
        if done:
            say(f"continuing after {done:,} bases")
        pieces = (({_VALUES: _scored(scorer, span)}, span.end - span.start) for span in spans[outputs.done :])
        grow(outputs, pieces, progress, signals)
        results: Results = {
            "bases": progress.total,
            **_write(folder.path, recipe.format, outputs.grown(_VALUES), spans, scorer.genome.contigs),
            "outputs": [name + SUFFIX[recipe.format] for name in TRACKS],
            "seconds": progress.seconds,
        }
        values = outputs.grown(_VALUES)
        folder.write(REPORT, report(recipe, results, values, folder.environment()))
        folder.finish(results)
        outputs.forget()
        return results


def check(recipe: RegionScoring, files: dict[str, str]) -> None:
    """Load the model and read the regions."""
    _, regions = _prepared(recipe, files)
    say(f"data   {len(regions):,} regions of {sum(end - start for _, start, end, _ in regions):,} bases")
    say("ready")


def merged(regions: list[Region], contigs: dict[str, int]) -> list[Region]:
    """Regions in the genome's order, those that overlap or touch made one.

    >>> merged([Region("b", 5, 9), Region("a", 4, 6), Region("a", 0, 4)], {"a": 9, "b": 9})
    [Region(contig='a', start=0, end=6, reverse=False), Region(contig='b', start=5, end=9, reverse=False)]
    """
    order = {name: i for i, name in enumerate(contigs)}
    found: list[Region] = []
    for contig, start, end, _ in sorted(regions, key=lambda region: (order[region.contig], region.start)):
        if found and found[-1].contig == contig and start <= found[-1].end:
            found[-1] = Region(contig, found[-1].start, max(end, found[-1].end))
        else:
            found.append(Region(contig, start, end))
    return found


def _spans(regions: list[Region], size: int) -> Iterator[Region]:
    """Regions cut at multiples of ``size``, where tiles end: what is scored between two saves."""
    for contig, start, end, _ in regions:
        for first in range(start // size * size, end, size):
            yield Region(contig, max(first, start), min(first + size, end))


def _scored(scorer: RegionScorer, span: Region) -> bytes:
    pieces = scorer(span.contig, span.start, span.end)
    return b"".join(np.stack([piece.tracks[name] for name in TRACKS], 1).tobytes() for piece in pieces)


def _write(folder: Path, kind: str, values: Path, spans: list[Region], contigs: dict[str, int]) -> Results:
    """The tracks; how many bases are known, and the means."""
    total, known = np.zeros(len(TRACKS)), 0
    with tracks(folder, list(TRACKS), kind, contigs) as written, values.open("rb") as file:
        for contig, start, end, _ in spans:
            text = file.read((end - start) * len(TRACKS) * 8)
            table = np.frombuffer(text, dtype=np.float64).reshape(-1, len(TRACKS))
            for name, column in zip(TRACKS, table.T, strict=True):
                written[name].add(contig, start, column)
            total += np.nansum(table, axis=0)
            known += int((~np.isnan(table[:, 0])).sum())
    means = (total / known).tolist() if known else [None] * len(TRACKS)
    return {"known": known, "mean": dict(zip(TRACKS, means, strict=True))}


def _prepared(recipe: RegionScoring, files: dict[str, str]) -> tuple[RegionScorer, list[Region]]:
    with refusing():
        model = recipe.load_model()
        genome = Genome(files["fasta"])
        scorer = RegionScorer(model, genome, Tiling(recipe.window, recipe.every, recipe.tile, recipe.tokens))
        regions = merged(list(bed_regions(files["regions"], genome)), genome.contigs)
        for region in regions:
            scorer.refuse_edges(region.contig, region.start, region.end)
    introduce(recipe, model)
    return scorer, regions
