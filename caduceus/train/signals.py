"""SIGINT and SIGTERM: stop at the end of a step, with a checkpoint; a second one stops at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

WATCHED = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """A signal ended the run; ``code`` is the exit status that says which.

    Not an Exception, as KeyboardInterrupt is none: nothing that recovers from errors should catch it.
    """

    def __init__(self, number: int, message: str = "stopped") -> None:
        super().__init__(message)
        self.code = 128 + number


class Signals:
    """Watches the signals inside a ``with`` block. Between steps of training it remembers one; elsewhere it raises.

    Attributes:
        received: the signal that asks training to stop, None if none has come.
        patient: whether training is under way, which stops only between steps.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.patient = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in WATCHED}
            self.watch()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def watch(self) -> None:
        """Take the signals; again after Lightning has put its own handler in front, which would stop inside a step."""
        for number in self._before:
            signal.signal(number, self._handle)

    def asked_to_stop(self) -> bool:
        return self.received is not None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self.patient or self.received is not None:
            raise Stopped(number)
        self.received = number
