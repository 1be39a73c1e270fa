"""Jobs of a fine-tuning run, one after the other or side by side in processes; one that fails does not stop the others.

With the same number of threads a job computes the same whatever runs beside it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from pathlib import Path
from threading import Lock

from caduceus.recipes.finetuning import Finetuning
from caduceus.recipes.tuning_data import TaskData
from caduceus.recipes.tuning_job import Job, run_job
from caduceus.recipes.tuning_model import Base
from caduceus.train import machine
from caduceus.train.bar import say
from caduceus.train.signals import Signals

Done = Callable[[Job], None]
Failures = dict[str, str]
"""Name of a job -> why it failed."""

# What a job may fail by, torch for lack of memory by RuntimeError; anything else is a fault of this library.
_FAILURES = (ValueError, OSError, FloatingPointError, MemoryError, RuntimeError)


class JobsFailed(ChildProcessError):
    """Some jobs failed; the others are done."""

    def __init__(self, failures: Failures, of: int) -> None:
        lines = "\n".join(f"  {name}: {why}" for name, why in failures.items())
        super().__init__(
            f"{len(failures)} of {of} jobs; the others are done, and the same command tries these again\n{lines}"
        )


def shares(recipe: Finetuning, jobs: int) -> tuple[int, int | None]:
    """How many jobs run side by side, and the threads of each; None leaves them to torch.

    Without ``threads`` those that torch would use are shared out.
    """
    cores = machine.threads()
    on_cpu = machine.device(recipe.accelerator).type == "cpu"
    wished = recipe.jobs or (max(1, cores // (recipe.threads or 1)) if on_cpu else 1)
    count = max(1, min(wished, jobs))
    return count, recipe.threads or (None if count == 1 else max(1, cores // count))


def one_by_one(
    jobs: Sequence[Job], tasks: Mapping[str, TaskData], base: Base, signals: Signals, done: Done
) -> Failures:
    """Do the jobs in this process; ``done`` is called after each that did not fail."""
    failures = {}
    for job in jobs:
        say(job.name)
        try:
            run_job(job, tasks[job.task], base, signals)
        except _FAILURES as error:
            failures[job.name] = str(error)
            say(f"{job.name} failed: {error}")
        else:
            done(job)
    return failures


def side_by_side(jobs: Sequence[Job], count: int, threads: int, done: Done) -> Failures:
    """Do ``count`` jobs at a time, each in a process that has so many ``threads``.

    Whatever interrupts it stops the processes, each with a checkpoint; a second time at once.
    """
    processes = Processes(threads)
    failures: Failures = {}
    futures: dict[Future[str | None], Job] = {}
    with ThreadPoolExecutor(count) as pool:
        try:
            for job in jobs:
                futures[pool.submit(processes.run, job)] = job
            for future in as_completed(futures):
                why = future.result()
                if why is None:
                    done(futures[future])
                else:
                    failures[futures[future].name] = why
                    say(f"{futures[future].name} failed: {why}")
        except BaseException:
            processes.stop_all(futures)
            raise
    return failures


class Processes:
    """The processes of jobs that run now."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = Lock()
        self._stopping = False

    def run(self, job: Job) -> str | None:
        """Do a job in a process of its own and show what it says, under its name; why it failed, None if it did not."""
        with self._lock:
            if self._stopping:
                return "stopped before it began"
            process = self._start(job.run, job.name)
            self._running.add(process)
        last = ""
        with process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.strip():
                    last = line.strip()
                    say(f"{job.name}: {last}")
        with self._lock:
            self._running.discard(process)
        status = process.returncode
        if status < 0:
            return f"ended by {signal.Signals(-status).name}, often for lack of memory, of which fewer jobs need less"
        return (last or f"exit status {status}") if status else None

    def stop_all(self, futures: Mapping[Future[str | None], Job]) -> None:
        """End every process with a checkpoint, and wait for it; interrupted while waiting, at once."""
        with self._lock:
            self._stopping = True
            self._signal(signal.SIGTERM)
        try:
            wait(futures)
        except BaseException:
            with self._lock:
                self._signal(signal.SIGKILL)
            raise

    def _signal(self, number: int) -> None:
        for process in self._running:
            process.send_signal(number)

    def _start(self, run: Path, name: str) -> subprocess.Popen[str]:
        # This process answers to the scheduler and to the terminal, and tells its jobs.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SLURM_")}
        environment |= {"OMP_NUM_THREADS": str(self.threads), "PYTHONUNBUFFERED": "1"}
        return subprocess.Popen(
            [sys.executable, "-m", "caduceus.recipes.tuning_worker", str(run), name, str(self.threads)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
