"""An ablation, checked and run: one pretraining run after the other, those that are finished passed over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from caduceus.recipes.ablation import Ablation, parameters
from caduceus.recipes.ablation_report import report
from caduceus.recipes.asking import needed
from caduceus.recipes.confidence import mean_interval
from caduceus.recipes.environment import environment
from caduceus.recipes.prepare import prepared_model, read_data
from caduceus.recipes.pretrain import duration
from caduceus.recipes.run_dir import REPORT, RunFolder
from caduceus.recipes.schema import Results
from caduceus.train.bar import say
from caduceus.train.fit import world_size
from caduceus.train.machine import device, device_name
from caduceus.train.measuring import estimate
from caduceus.train.ranks import process_rank
from caduceus.train.refreshing import tried


def run(recipe: Ablation, folder: RunFolder) -> Results:
    """Do what is left of it, into ``folder``; the report is made anew after each run."""
    needed("scipy.stats", "evaluate")
    first = recipe.recipe(next(iter(recipe.members)), recipe.seeds[0])
    now = environment(first, first.files(), world_size(first))
    folder.refuse_other_files(now["data"])
    writes = process_rank() == 0
    if writes:
        folder.begin(now)
    runs = list(recipe.folders(folder))
    for number, (member, seed, own) in enumerate(runs, 1):
        if not own.finished:
            say(f"run {number} of {len(runs)}: {member}, seed {seed}")
            own.recipe.run(own)
        if writes:
            tried(lambda: folder.write(REPORT, report(recipe, folder, gather(recipe, folder))), "the runs go on")
    results = gather(recipe, folder)
    if writes:
        folder.finish(results)
    return results


def check(recipe: Ablation) -> None:
    """Do everything short of training, for every member, and print it."""
    needed("scipy.stats", "evaluate")
    seconds = 0.0
    for member in recipe.members:
        own = recipe.recipe(member, recipe.seeds[0])
        model, plan = prepared_model(own)
        found = estimate(model.to(device(own.accelerator)), plan, own.max_steps)
        seconds += found.seconds * len(recipe.seeds)
        say(f"time   about {duration(found.seconds)} for a run of {own.max_steps * plan.tokens:,} tokens")
    read_data(own, own.files())
    count = len(recipe.members) * len(recipe.seeds)
    where = device_name(own.accelerator)
    say(f"time   about {duration(seconds)} on {where} for {count} runs, validation and tests not counted")
    say("ready")


def gather(recipe: Ablation, folder: RunFolder) -> Results:
    """Results of the runs that are finished."""
    bits: dict[str, dict[str, float]] = {member: {} for member in recipe.members}
    by_member: dict[str, list[Results]] = {member: [] for member in recipe.members}
    for member, seed, own in recipe.folders(folder):
        if own.finished:
            found = own.results()
            by_member[member].append(found)
            bits[member][str(seed)] = found["bits_per_base"]["model"]
    return {
        "bits_per_base": bits,
        "members": {member: _member(recipe, member, found) for member, found in by_member.items()},
        "contrasts": list(_contrasts(recipe, bits)),
        "counting": next((_counting(found[0]) for found in by_member.values() if found), {}),
    }


def _member(recipe: Ablation, member: str, found: list[Results]) -> dict[str, Any]:
    spec = recipe.recipe(member, recipe.seeds[0]).spec
    about: dict[str, Any] = {
        "parameters": parameters(spec),
        "layers": len(spec.mixers),
        "equivariance": spec.equivariance,
    }
    if not found:
        return about
    about |= {"tokens": found[0]["tokens"], "seconds": [each["seconds"] for each in found]}
    errors = [each["equivariance_error"] for each in found]
    interval = mean_interval([each["bits_per_base"]["model"] for each in found])
    return about | interval._asdict() | {"runs": len(found), "largest_equivariance_error": max(errors)}


def _contrasts(recipe: Ablation, bits: dict[str, dict[str, float]]) -> Iterator[dict[str, Any]]:
    """Differences of bits per base, paired by seed."""
    for member, against in recipe.contrasts:
        seeds = [seed for seed in bits[member] if seed in bits[against]]
        differences = {seed: bits[member][seed] - bits[against][seed] for seed in seeds}
        interval = mean_interval(list(differences.values()))._asdict() if seeds else {}
        yield {"member": member, "against": against, "differences": differences, **interval}


def _counting(found: Results) -> dict[str, float]:
    """What models that count reach on the same test sequence."""
    sides = {"one_sided": "{} bases before", "two_sided": "{} bases on each side"}
    return {sides[side].format(k): bits for side in sides for k, bits in found["bits_per_base"][side].items()}
