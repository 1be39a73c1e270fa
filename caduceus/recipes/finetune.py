"""A fine-tuning recipe, checked and run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from caduceus.checkpoint import load_pretrained
from caduceus.recipes.environment import environment
from caduceus.recipes.errors import Refused
from caduceus.recipes.find import data_path
from caduceus.recipes.finetuning import Finetuning
from caduceus.recipes.prepare import refusing
from caduceus.recipes.run_dir import RunFolder
from caduceus.recipes.schema import Results
from caduceus.recipes.tuning_data import TaskData, read_task
from caduceus.recipes.tuning_job import Base, Job, run_job
from caduceus.recipes.tuning_results import TABLE, markdown, task_results, to_csv
from caduceus.train.bar import say
from caduceus.train.machine import kernels, use_threads
from caduceus.train.signals import Signals

_SPLITS = ("train", "valid", "test", "genome")


def run(recipe: Finetuning, folder: RunFolder) -> Results:
    """Read every task, train every arm with every seed, score; what was done before is not done again."""
    with Signals() as signals:
        base, tasks = _prepared(recipe)
        now = environment(recipe, _files(recipe), 1)
        folder.refuse_other_files(now["data"])
        folder.begin(now)
        results: Results = {"protocol": recipe.protocol, "tasks": {}}
        for name, data in tasks.items():
            place, files = folder.path / "tasks" / name, recipe.tasks[name]
            predictions = {
                arm: [
                    run_job(Job(recipe, files, data, base, arm, seed, place / f"{arm}-{seed}"), signals)
                    for seed in _seeds(recipe, arm)
                ]
                for arm in recipe.arms
            }
            results["tasks"][name] = task_results(files, recipe.protocol, data, predictions, recipe.resamples)
        folder.write(f"{TABLE}.md", markdown(results))
        folder.write(f"{TABLE}.csv", to_csv(results))
        folder.finish(results)
        return results


def check(recipe: Finetuning) -> None:
    """Read the data and build the model, and print what was found."""
    _prepared(recipe)
    jobs = len(recipe.tasks) * sum(len(_seeds(recipe, arm)) for arm in recipe.arms)
    say(f"jobs   {jobs}: {', '.join(recipe.arms)}, seeds {', '.join(map(str, recipe.seeds))}")
    say("ready")


def _prepared(recipe: Finetuning) -> tuple[Base, dict[str, TaskData]]:
    use_threads(recipe.threads)
    with refusing():
        base = _base(recipe)
        tasks = {name: read_task(files, recipe.protocol, recipe.seed) for name, files in recipe.tasks.items()}
    for name, data in tasks.items():
        counts = ", ".join(f"{len(split):,}" for split in (data.train, data.valid, data.test))
        say(f"data   {name}: {counts} rows to train, validate and test on; {', '.join(data.train.classes)}")
        for note in data.notes():
            say(f"       {note}")
    return base, tasks


def _base(recipe: Finetuning) -> Base:
    computing = kernels(recipe.backend, recipe.accelerator)
    if computing.name == "reference":
        raise Refused("backend is 'reference', which does not train; give backend auto or torch")
    if recipe.pretrained is None:
        return Base(recipe.spec(), None, computing)
    model: Any = load_pretrained(recipe.pretrained, backend=computing)
    say(f"model  {recipe.pretrained}: {sum(p.numel() for p in model.parameters()):,} parameters")
    return Base(model.spec, model.weights(), computing)


def _seeds(recipe: Finetuning, arm: str) -> tuple[int, ...]:
    """The ridge regression draws nothing: one of it is all."""
    return recipe.seeds[:1] if arm == "kmers" else recipe.seeds


def _files(recipe: Finetuning) -> dict[str, str]:
    """Every data file that is a single file, for its checksum."""
    found = {}
    for name, task in recipe.tasks.items():
        for split in _SPLITS:
            path: Path | None = None if getattr(task, split) is None else data_path(getattr(task, split))
            if path is not None:
                found[f"{name}.{split}"] = str(path)
    return found
