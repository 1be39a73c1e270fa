"""Files that grow piece by piece through kills and power cuts, and take their names when they are whole."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from caduceus.recipes.errors import Refused
from caduceus.recipes.progress import Progress
from caduceus.train.files import written_whole
from caduceus.train.signals import Signals, Stopped

_JOURNAL = "progress.json"


class Growing:
    """Pieces go to hidden files; a journal says how far each is whole, and what lies behind that is cut off again.

    Args:
        folder: where the files will be.
        names: what they will be called.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder, self.names = folder, tuple(names)
        state = self._state()
        self.done: int = state["done"]
        for name in self.names:
            self._take_back(name)
            size = state["sizes"].get(name, 0)
            with self._part(name).open("ab") as file:
                if file.tell() < size:
                    raise Refused(
                        f"{self._part(name)} is shorter than {_JOURNAL} says; remove {folder} and begin again"
                    )
                file.truncate(size)

    def append(self, pieces: Mapping[str, bytes]) -> None:
        """Add a piece to each file: all of them, or after a kill none."""
        for name in self.names:
            with self._part(name).open("ab") as file:
                file.write(pieces[name])
                file.flush()
                os.fsync(file.fileno())
        self.done += 1
        sizes = {name: self._part(name).stat().st_size for name in self.names}
        with written_whole(self.folder / _JOURNAL) as file:
            file.write(json.dumps({"done": self.done, "sizes": sizes}).encode())

    def finish(self, endings: Mapping[str, bytes]) -> None:
        """Add the end of each file, and give it its name."""
        for name in self.names:
            with self._part(name).open("ab") as file:
                file.write(endings[name])
                file.flush()
                os.fsync(file.fileno())
            self._part(name).replace(self.folder / name)

    def grown(self, name: str) -> Path:
        """Where a file is that has not been given its name: what `forget` removes."""
        return self._part(name)

    def forget(self) -> None:
        """Remove the journal, and files without a name: nothing is left to do."""
        for path in (self.folder / _JOURNAL, *map(self._part, self.names)):
            path.unlink(missing_ok=True)

    def _part(self, name: str) -> Path:
        return self.folder / f".{name}.growing"  # not what `sweep` takes for left over

    def _state(self) -> dict[str, Any]:
        path = self.folder / _JOURNAL
        found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {"done": 0, "sizes": {}}
        return found

    def _take_back(self, name: str) -> None:
        """A file that took its name before a kill came, while others had not."""
        if (self.folder / name).is_file() and not self._part(name).is_file():
            (self.folder / name).replace(self._part(name))


def grow(
    outputs: Growing, pieces: Iterable[tuple[Mapping[str, bytes], int]], progress: Progress, signals: Signals
) -> None:
    """Append every piece, and what it counts for; a signal stops between two of them.

    Raises:
        Stopped: a signal came.
    """
    signals.patient = True
    for piece, count in pieces:
        outputs.append(piece)
        progress.add(count)
        if signals.code:
            progress.close()
            raise Stopped(signals.code, f"stopped after {progress.done:,} of {progress.total:,} {progress.unit}")
    signals.patient = False
    progress.close()
