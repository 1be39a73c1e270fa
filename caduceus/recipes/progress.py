"""How far a long run has come: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

from caduceus.train.bar import say

_SECONDS_BETWEEN_LINES = 60.0


class Progress:
    """Counts what is done, with the rate and the time left.

    Args:
        total: of all; done: before this start; unit: what is counted, in the plural.
    """

    def __init__(self, total: int, done: int, unit: str) -> None:
        self.total, self.first, self.done, self.unit = total, done, done, unit
        self._began = self._said = time.monotonic()
        self._bar = tqdm(
            total=total,
            initial=done,
            unit=f" {unit}",
            dynamic_ncols=True,
            leave=False,
            disable=not sys.stderr.isatty(),
        )

    def add(self, count: int) -> None:
        self.done += count
        self._bar.update(count)
        now = time.monotonic()
        if self._bar.disable and now - self._said >= _SECONDS_BETWEEN_LINES:
            self._said = now
            left = (self.total - self.done) / max(self.per_minute, 1e-9)
            say(f"{self.done:,} of {self.total:,} {self.unit}, {self.per_minute:,.0f} a minute, {left:.0f} min left")

    @property
    def per_minute(self) -> float:
        """Since this start."""
        return 60 * (self.done - self.first) / max(time.monotonic() - self._began, 1e-9)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def close(self) -> None:
        self._bar.close()
