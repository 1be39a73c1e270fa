"""One job of a fine-tuning run in a process of its own: ``python -m caduceus.recipes.tuning_worker RUN JOB THREADS``.

It reads the recipe of the run folder and does the job of that name. Its last line says why it failed, if it did; its
exit status is that of `caduceus.recipes`. It stops, as by SIGTERM, once nobody holds the other end of its stdin.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import yaml

from caduceus.recipes.errors import Refused
from caduceus.recipes.finetuning import Finetuning
from caduceus.recipes.run_dir import RECIPE
from caduceus.recipes.tuning_data import read_task
from caduceus.recipes.tuning_job import all_jobs, run_job
from caduceus.recipes.tuning_model import load_base
from caduceus.train.machine import use_threads
from caduceus.train.signals import Signals, Stopped


def main(arguments: Sequence[str]) -> int:
    """Do it; the exit status."""
    run, name, threads = Path(arguments[0]), arguments[1], int(arguments[2])
    try:
        with Signals() as signals:
            threading.Thread(target=_end_with_the_parent, daemon=True).start()
            use_threads(threads)
            recipe = Finetuning.model_validate(yaml.safe_load((run / RECIPE).read_text(encoding="utf-8")))
            job = next(job for job in all_jobs(recipe, run) if job.name == name)
            run_job(job, read_task(job.files, recipe.protocol, recipe.seed), load_base(recipe), signals)
    except (Refused, ValueError, OSError, FloatingPointError, MemoryError) as error:
        print(error, flush=True)
        return 1
    except Stopped as stopped:
        print(stopped, flush=True)
        return stopped.code
    return 0


def _end_with_the_parent() -> None:
    # Not sys.stdin, which a thread that lives until the end would keep locked.
    if not os.read(0, 1):
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
