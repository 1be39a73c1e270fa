"""What is known of a fine-tuning run so far: results, table and report, made anew after each job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caduceus.recipes.finetuning import Finetuning
from caduceus.recipes.run_dir import REPORT, RunFolder
from caduceus.recipes.schema import Results
from caduceus.recipes.tuning_data import TaskData
from caduceus.recipes.tuning_job import Job, all_jobs
from caduceus.recipes.tuning_report import report
from caduceus.recipes.tuning_report_task import Shown
from caduceus.recipes.tuning_results import Arm, contrasts, task_results
from caduceus.recipes.tuning_table import TABLE, markdown, to_csv
from caduceus.train.bar import say
from caduceus.train.selection import read_curve
from caduceus.train.tune import CURVE


class Board:
    """Keeps what each task has come to; a task that is finished is scored once.

    Args:
        parameters: of the model, by task.
    """

    def __init__(
        self, recipe: Finetuning, folder: RunFolder, tasks: Mapping[str, TaskData], parameters: Mapping[str, int]
    ) -> None:
        self.recipe, self.folder, self.tasks, self.parameters = recipe, folder, tasks, parameters
        self.jobs = list(all_jobs(recipe, folder.path))
        self._noted = len(self.jobs) - len(self.waiting)
        self._found: dict[str, dict[str, Any]] = {}
        self._shown: dict[str, Shown] = {}
        self._failed: dict[str, str] = {}
        for task in tasks:
            self._score(task)

    @property
    def waiting(self) -> list[Job]:
        """Jobs that are not done."""
        return [job for job in self.jobs if not job.done]

    def settle(self, failures: Mapping[str, str]) -> None:
        """These jobs, by name, failed and are not waited for: their tasks are scored as they are, and it is told."""
        self._failed = dict(failures)
        for task in dict.fromkeys(job.task for job in self.jobs if job.name in failures):
            self._score(task)
        self.write()

    def results(self) -> Results:
        """Of every task that has a finished job."""
        tasks = {task: self._found[task] for task in self.tasks if task in self._found}
        shown = {task: each for task, each in self._shown.items() if each.complete and "model" in each.predictions}
        finished = {task: each.predictions["model"] for task, each in shown.items()}
        return {
            "protocol": self.recipe.protocol,
            "parameters": dict(self.parameters),
            "tasks": tasks,
            "contrasts": contrasts(self.recipe, finished),
        }

    def note(self, job: Job) -> None:
        """A job is done: score its task, and write everything anew."""
        self._noted += 1
        say(f"{job.name} is done, {self._noted} of {len(self.jobs)}")
        self._score(job.task)
        self.write()

    def write(self) -> None:
        """Table and report."""
        results = self.results()
        self.folder.write(f"{TABLE}.md", markdown(results))
        self.folder.write(f"{TABLE}.csv", to_csv(results))
        try:
            page = report(
                self.recipe, results, self._shown, self.folder.environment(), len(self.waiting), len(self.jobs)
            )
        except Exception as error:  # a picture that cannot be drawn is no reason to end a run of days
            say(f"the report could not be made ({type(error).__name__}: {error}); the table is there")
        else:
            self.folder.write(REPORT, page)

    def _score(self, task: str) -> None:
        own = [job for job in self.jobs if job.task == task]
        by_arm = {arm: Arm.of([job for job in own if job.arm == arm], self.tasks[task]) for arm in self.recipe.arms}
        arms = {name: arm for name, arm in by_arm.items() if arm is not None}
        if not arms:
            return
        complete = all(job.done or job.name in self._failed for job in own)
        resamples = self.recipe.resamples if complete else 0
        self._found[task] = task_results(self.recipe, task, self.tasks[task], arms, resamples)
        failed = {job.name: self._failed[job.name] for job in own if job.name in self._failed}
        self._found[task]["notes"] += [f"{name} failed: {why}" for name, why in failed.items()]
        curves = {name: [read_curve(job.folder / CURVE) for job in arm.jobs] for name, arm in arms.items()}
        self._shown[task] = Shown(self.tasks[task], {n: arm.predictions for n, arm in arms.items()}, curves, complete)
