"""Runs of recipes in processes of their own, to be killed: one process imports everything once and forks each run.

It reads requests from stdin and answers on stdout, a line of JSON each: ``{"run": [arguments], "folder": where,
"environment": {name: value}}`` gives the process id, ``{"wait": id}`` the exit status, negative for a signal.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

SLOW_DISK = 0.03
"""Seconds that a write takes to reach the disk in such a run, so that a kill often comes while one is under way."""
ENOUGH = 120
"""Seconds that nothing here takes, on the busiest machine."""
ORDER = "order.txt"
"""In the folder: a line for each micro-batch that was trained on, its number and the digest of its tokens."""


class Nursery:
    """Starts, awaits and kills runs; a context manager."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", __name__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, *arguments: object, folder: Path, environment: Mapping[str, str] | None = None) -> int:
        """Start a run of ``arguments`` in ``folder``; its process id. What it says is added to log.txt there."""
        words = [str(word) for word in arguments]
        return self._ask({"run": words, "folder": str(folder), "environment": dict(environment or {})})

    def wait(self, process: int) -> int:
        """Its exit status."""
        return self._ask({"wait": process})

    @staticmethod
    def until(condition: Callable[[], bool]) -> None:
        """Wait for what a run is to do."""
        end = time.monotonic() + ENOUGH
        while not condition():
            assert time.monotonic() < end, f"nothing came of it in {ENOUGH} s"
            time.sleep(0.002)

    def _ask(self, request: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(json.loads(self._process.stdout.readline()))


def order(folder: Path) -> dict[int, set[str]]:
    """The digests of each micro-batch, by its number, in every part of a run."""
    found: dict[int, set[str]] = {}
    for line in (folder / ORDER).read_text().splitlines():
        number, digest = line.split()
        found.setdefault(int(number), set()).add(digest)
    return found


def _serve() -> None:
    import torch

    from caduceus.recipes import __main__, pretrain, report  # noqa: F401  imported once for all runs

    torch.set_num_threads(1)
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            _answer(os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1]))
        elif process := os.fork():
            _answer(process)
        else:
            os.environ.update(request["environment"])
            os.chdir(request["folder"])
            _become_a_run(request["run"])


def _answer(value: int) -> None:
    print(json.dumps(value), flush=True)


def _become_a_run(arguments: list[str]) -> None:
    from lightning.fabric.utilities.rank_zero import _get_rank, rank_zero_only

    from caduceus.recipes import __main__, report

    rank_zero_only.rank = _get_rank() or 0  # what Lightning does when it is imported
    log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    _slow_the_disk()
    _note_the_order()
    report.find_spec = lambda name: None  # pictures take longer than the run
    os._exit(__main__.main(arguments))


def _slow_the_disk() -> None:
    fsync = os.fsync

    def slow(file: Any) -> None:
        time.sleep(SLOW_DISK)
        fsync(file)

    os.fsync = slow


def _note_the_order() -> None:
    from caduceus.train.module import MaskedLanguageModel

    original = MaskedLanguageModel.training_step

    def noting(self: Any, batch: Any, batch_idx: int) -> Any:
        digest = hashlib.sha256(batch["input_ids"].numpy().tobytes() + batch["labels"].numpy().tobytes()).hexdigest()
        with open(ORDER, "ab", buffering=0) as file:
            file.write(f"{batch_idx} {digest}\n".encode())
        return original(self, batch, batch_idx)

    MaskedLanguageModel.training_step = noting  # type: ignore[method-assign]


if __name__ == "__main__":
    _serve()
