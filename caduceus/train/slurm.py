"""A job of SLURM's that is to go on later."""

from __future__ import annotations

import os
import subprocess

from caduceus.train.bar import say
from caduceus.train.ranks import process_rank


def requeue() -> None:
    """Have this job queued again; nothing outside of a job, and one process of several asks."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None or process_rank() != 0:
        return
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        say(f"SLURM job {job} could not be queued again: {getattr(error, 'stderr', '') or error}")
    else:
        say(f"SLURM job {job} is queued again")
