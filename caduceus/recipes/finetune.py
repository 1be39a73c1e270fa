"""A fine-tuning recipe, checked and run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from caduceus.data.labels import Labelled
from caduceus.evaluate.catalogue import suite
from caduceus.recipes.environment import environment
from caduceus.recipes.errors import Refused
from caduceus.recipes.finetuning import Finetuning
from caduceus.recipes.prepare import refusing
from caduceus.recipes.run_dir import RunFolder
from caduceus.recipes.schema import Results
from caduceus.recipes.tuning_board import Board
from caduceus.recipes.tuning_data import TaskData, read_task
from caduceus.recipes.tuning_inputs import inputs, refuse_other_inputs
from caduceus.recipes.tuning_job import all_jobs
from caduceus.recipes.tuning_model import Base, assert_as_declared, load_base
from caduceus.recipes.tuning_pool import JobsFailed, one_by_one, shares, side_by_side
from caduceus.train.bar import say
from caduceus.train.machine import use_threads
from caduceus.train.signals import Signals


def run(recipe: Finetuning, folder: RunFolder) -> Results:
    """Read every task, train every arm with every seed, score; what was done before is not done again.

    Raises:
        JobsFailed: some jobs failed; the others are done, and their scores in the table and the report.
    """
    with Signals() as signals:
        count, threads = _shares(recipe, folder.path)
        base, tasks, parameters = _prepared(recipe)
        now = environment(recipe, inputs(recipe), 1)
        now |= {"jobs": count, "threads": threads or now["threads"]}
        refuse_other_inputs(folder, now["data"])
        board = Board(recipe, folder, tasks, parameters)  # before the data are noted: it refuses outcomes of others
        folder.begin(now)
        board.write()
        if count == 1 or threads is None:
            use_threads(threads)
            failures = one_by_one(board.waiting, tasks, base, signals, board.note)
        else:
            failures = side_by_side(board.waiting, count, threads, board.note)
        if failures:
            board.settle(failures)
            raise JobsFailed(failures, len(board.jobs))
        results = board.results()
        folder.finish(results)
        return results


def check(recipe: Finetuning) -> None:
    """Read the data, build the models and assert what they declare, and print what was found."""
    count, threads = _shares(recipe, Path())
    _prepared(recipe)
    jobs = list(all_jobs(recipe, Path()))
    trained = Counter(job.arm for job in jobs)
    arms = ", ".join(f"{number} x {arm}" for arm, number in trained.items())
    say(f"jobs   {len(jobs)}: {arms}; seeds {', '.join(map(str, recipe.seeds))}")
    if recipe.grid is not None:
        say(
            f"       each seed of the model tries {len(recipe.cells)} pairs: lr {_listed(recipe.grid.lr)} x batch "
            f"{_listed(recipe.grid.batch)}; the pair that validates best counts"
        )
    each = "the threads that torch takes" if threads is None else f"{threads} thread{'s' if threads > 1 else ''} each"
    say(f"       {count} at a time, {each}")
    say("ready")


def _shares(recipe: Finetuning, run: Path) -> tuple[int, int | None]:
    return shares(recipe, sum(1 for _ in all_jobs(recipe, run)))


def _prepared(recipe: Finetuning) -> tuple[Base, dict[str, TaskData], dict[str, int]]:
    """The network, the data, and the parameters of each task's model, with everything checked that can be."""
    use_threads(recipe.threads)
    with refusing():
        base = load_base(recipe)
        tasks = {
            name: read_task(files, recipe.protocol, recipe.seed, recipe.seeds) for name, files in recipe.tasks.items()
        }
    for pair in recipe.contrasts:
        _assert_alike(pair, *(tasks[name].test for name in pair))
    if recipe.suite is not None and (left := [name for name in suite(recipe.suite).tasks if name not in tasks]):
        say(f"suite  {recipe.suite}: {len(tasks)} tasks; left out: {', '.join(left)}")
    for name, data in tasks.items():
        counts = ", ".join(f"{len(split):,}" for split in (data.train, data.valid, data.test))
        say(f"data   {name}: {counts} rows to train, validate and test on; {', '.join(data.train.classes)}")
        for note in data.notes:
            say(f"       {note}")
    return base, tasks, _asserted(recipe, base, tasks)


def _assert_alike(names: tuple[str, str], first: Labelled, second: Labelled) -> None:
    """Refused unless two test splits hold the same sequences with the same labels: only then a difference is a gain."""
    meaning = [() if each.problem == "regression" else each.classes for each in (first, second)]
    if list(first.sequences) != list(second.sequences):
        against = "are tested on different rows"
    elif meaning[0] != meaning[1]:
        against = f"have different classes, {', '.join(meaning[0])} and {', '.join(meaning[1])}"
    elif not np.array_equal(first.labels, second.labels):
        against = "have different labels for the same test sequences"
    else:
        return
    raise Refused(
        f"contrasts compare {' and '.join(names)}, which {against}, expected the same; "
        "give both the same test split and label, or leave the pair out"
    )


def _asserted(recipe: Finetuning, base: Base, tasks: Mapping[str, TaskData]) -> dict[str, int]:
    """Parameters of each task's model; each kind of head once is asserted to be what it declares."""
    known: dict[tuple[str, int], int] = {}
    found = {}
    for name, data in tasks.items():
        files = recipe.tasks[name]
        kind = (files.readout, len(data.train.classes))
        if kind not in known:
            with refusing():
                known[kind], lines = assert_as_declared(recipe, files, data, base)
            trained = "from random weights" if recipe.pretrained is None else f"from {recipe.pretrained}"
            readout = f"{kind[0]} readout of {kind[1]}"
            say(f"model  {known[kind]:,} parameters {trained}, {base.kernels.name} backend, {readout}")
            for line in lines:
                say(f"       {line}")
        found[name] = known[kind]
    return found


def _listed(numbers: tuple[float, ...] | tuple[int, ...]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)
