"""Why a run stops before its end: a signal, or its time is up. It stops between steps, with a checkpoint."""

from __future__ import annotations

import math
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

WATCHED = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
REQUEUED = 128 + signal.SIGUSR1
TIME_UP = 124
"""The exit status of a run that stopped at its ``max_time``: that of timeout(1)."""


class Stopped(BaseException):
    """The run ended before it was done; ``code`` is the exit status that says why.

    Not an Exception, as KeyboardInterrupt is none: nothing that recovers from errors should catch it.
    """

    def __init__(self, code: int, message: str = "stopped") -> None:
        super().__init__(message)
        self.code = code


class Signals:
    """Watches signals and the clock inside a ``with`` block.

    Between steps of training a signal is remembered; elsewhere it raises `Stopped`. In training a second SIGINT stops
    at once; other signals may come several times, as launchers and schedulers pass them on. A SIGUSR1, which SLURM
    sends before the end of a job if it is told to (``sbatch --signal=USR1@120``), has that job queued again.

    Args:
        seconds: from now, after which training is asked to stop; None for no limit.

    Attributes:
        received: the signal that asks training to stop, None if none has come.
        patient: whether training is under way, which stops only between steps.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.received: int | None = None
        self.patient = False
        self._deadline = math.inf if seconds is None else time.monotonic() + seconds
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in WATCHED}
            if self._before[signal.SIGHUP] is signal.SIG_IGN:  # nohup: goes on when the terminal closes
                del self._before[signal.SIGHUP]
            self.watch()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if isinstance(error, Stopped) and error.code == REQUEUED:
            from caduceus.train.slurm import requeue  # knows of ranks, so it loads Lightning

            requeue()

    def watch(self) -> None:
        """Take the signals; `watching` does it again after Lightning has put its own handler in front."""
        for number in self._before:
            signal.signal(number, self._handle)

    @property
    def code(self) -> int:
        """The exit status of a run that stops now, 0 if nothing asks for that."""
        if self.received is not None:
            return 128 + self.received
        return TIME_UP if time.monotonic() > self._deadline else 0

    def asked_to_stop(self) -> bool:
        return self.code != 0

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self.patient or (self.received is not None and number == signal.SIGINT):
            raise Stopped(128 + number)
        if self.received is None:
            self.received = number
