"""Every base of the regions of a file to tracks, tile by tile."""

from __future__ import annotations

import numpy as np

from caduceus.data import Genome, Region, bed_regions
from caduceus.predict import RegionScorer, Tiling
from caduceus.predict.models import inner_spec
from caduceus.predict.regions import TRACKS
from caduceus.recipes.asking import needed
from caduceus.recipes.environment import surroundings
from caduceus.recipes.prepare import refusing
from caduceus.recipes.progress import Progress
from caduceus.recipes.region_scoring import RegionScoring
from caduceus.recipes.run_dir import RunFolder
from caduceus.recipes.schema import Results
from caduceus.recipes.tracks import SUFFIX, tracks
from caduceus.train.bar import say
from caduceus.train.machine import kernels
from caduceus.train.signals import Signals


def run(recipe: RegionScoring, files: dict[str, str], folder: RunFolder) -> Results:
    """Score and write; a run that was stopped begins again."""
    if recipe.format == "bigwig":
        needed("pyBigWig", "predict")
    with Signals():
        scorer, regions = _prepared(recipe, files)
        now = surroundings(kernels(recipe.backend, recipe.accelerator).name, files)
        folder.refuse_other_files(now["data"])
        folder.begin(now)
        bases = sum(end - start for _, start, end, _ in regions)
        progress = Progress(bases, 0, "bases")
        total, known = np.zeros(len(TRACKS)), 0
        with tracks(folder.path, list(TRACKS), recipe.format, scorer.genome.contigs) as written:
            for contig, start, end, _ in regions:
                for piece in scorer(contig, start, end):
                    for name in TRACKS:
                        written[name].add(piece.contig, piece.start, piece.tracks[name])
                    total += [np.nansum(piece.tracks[name]) for name in TRACKS]
                    known += int((~np.isnan(piece.tracks[TRACKS[0]])).sum())
                    progress.add(piece.end - piece.start)
        progress.close()
        results: Results = {
            "bases": bases,
            "known": known,
            "mean": dict(zip(TRACKS, (total / max(known, 1)).tolist(), strict=True)),
            "outputs": [name + SUFFIX[recipe.format] for name in TRACKS],
            "seconds": progress.seconds,
        }
        folder.finish(results)
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


def _prepared(recipe: RegionScoring, files: dict[str, str]) -> tuple[RegionScorer, list[Region]]:
    with refusing():
        model = recipe.load_model()
        genome = Genome(files["fasta"])
        scorer = RegionScorer(model, genome, Tiling(recipe.window, recipe.every, recipe.tile, recipe.tokens))
        regions = merged(list(bed_regions(files["regions"], genome)), genome.contigs)
        for region in regions:
            scorer.refuse_edges(region.contig, region.start, region.end)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    say(f"model  {recipe.model}: {parameters:,} parameters, {inner_spec(model).equivariance}")
    return scorer, regions
