"""A pretraining recipe, checked and run."""

from __future__ import annotations

from caduceus.recipes.baselines import keep_baselines
from caduceus.recipes.conclude import conclude
from caduceus.recipes.environment import environment
from caduceus.recipes.errors import Refused
from caduceus.recipes.prepare import prepared_model, read_data, refusing
from caduceus.recipes.pretraining import Pretraining
from caduceus.recipes.report import refresh
from caduceus.recipes.run_dir import RunFolder
from caduceus.recipes.schema import Results
from caduceus.train.bar import say
from caduceus.train.fit import fit
from caduceus.train.keeper import Unusable
from caduceus.train.machine import device, device_name, kernels
from caduceus.train.measuring import estimate
from caduceus.train.ranks import process_rank
from caduceus.train.refreshing import Refreshing
from caduceus.train.signals import Signals


def run(recipe: Pretraining, files: dict[str, str], folder: RunFolder) -> Results:
    """Build and assert, read, train, conclude; what was done before is continued."""
    with Signals(recipe.time_limit) as signals:
        model, plan = prepared_model(recipe)
        splits = read_data(recipe, files)
        where = device(recipe.accelerator)
        if process_rank() == 0:
            now = environment(recipe, files, plan.world)
            folder.refuse_other_files(now["data"])
            folder.begin(now)
            with refusing():
                keep_baselines(recipe, folder, splits, where)
        backend = kernels(recipe.backend, recipe.accelerator)
        shown = Refreshing(recipe, lambda: refresh(folder))
        try:
            fitted = fit(model, splits.train, splits.valid, recipe, backend, folder.path, signals, [shown])
        except Unusable as error:
            raise Refused(str(error)) from error
        return conclude(recipe, folder, model, splits, fitted, where) if process_rank() == 0 else {}


def check(recipe: Pretraining) -> None:
    """Do everything short of training, and print it."""
    model, plan = prepared_model(recipe)
    found = estimate(model.to(device(recipe.accelerator)), plan, recipe.max_steps)
    say(
        f"steps  {recipe.max_steps:,} of {plan.tokens:,} tokens, {recipe.max_steps * plan.tokens:,} in all; "
        f"a step is {plan.world} x {plan.accumulate} micro-batches of {plan.per_device} x {plan.length:,}"
    )
    where = device_name(recipe.accelerator)
    say(f"time   about {duration(found.seconds)} on {where}, at {found.tokens_per_second:,.0f} tokens a second")
    say(f"memory about {found.memory / 1e9:.1f} GB on a device")
    read_data(recipe, recipe.files())
    say("ready")


def duration(seconds: float) -> str:
    """A time for people.

    >>> [duration(s) for s in (42, 600, 7200, 1e6)]
    ['42 s', '10 min', '2.0 h', '11.6 days']
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"
