"""The folder of a run: what is in it, whether it belongs to a recipe, and whether it is finished."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from caduceus.data.locks import LOCK, Taken, locked
from caduceus.recipes.errors import Refused
from caduceus.recipes.schema import Recipe, Results
from caduceus.train.files import is_part, sweep, written_whole

RECIPE, ENVIRONMENT, BASELINES, RESULTS, REPORT, MODEL = (
    "recipe.yaml",
    "environment.json",
    "baselines.json",
    "results.json",
    "report.html",
    "model",
)
# Fields that "auto" leaves to the machine; environment.json holds under the same names what came of them.
_LEFT = ("backend", "precision")


class RunFolder:
    """A folder that belongs to one recipe; made when it is first written to.

    Args:
        path: the folder; ``runs/<name>-<digest of the recipe>`` if not given.

    Raises:
        Refused: it holds something else; another recipe is shown as a difference.
    """

    def __init__(self, recipe: Recipe, path: Path | None = None) -> None:
        self.recipe = recipe
        self.path = path or Path("runs") / f"{recipe.name}-{recipe.digest}"
        if self.path.exists() and not self.path.is_dir():
            raise Refused(f"{self.path} is a file, expected a folder for the run")
        if self.path.is_dir() and not all(is_part(path) or path.name == LOCK for path in self.path.iterdir()):
            self._check_recipe()

    def _check_recipe(self) -> None:
        there = self.path / RECIPE
        if not there.is_file():
            raise Refused(f"{self.path} holds files but no {RECIPE}, so it is no run; give another folder by --out")
        before, now = self._identity(there), self.recipe.identity()
        if before != now:
            lines = difflib.unified_diff(
                before.splitlines(), now.splitlines(), str(there), "this recipe", lineterm="", n=0
            )
            difference = "\n".join(line for line in lines if not line.startswith("@@"))
            raise Refused(f"{self.path} holds the run of another recipe; give another folder by --out\n{difference}")

    def _identity(self, there: Path) -> str:
        """That of the recipe in the folder; its text, where it is none that this version reads."""
        text = there.read_text(encoding="utf-8")
        try:
            found = type(self.recipe).model_validate(yaml.safe_load(text))
        except (yaml.YAMLError, ValidationError):
            return text
        return found.model_copy(update=self._settled(found)).identity()

    def _settled(self, before: Recipe) -> dict[str, str]:
        """What ``before`` left to the machine, where it is now given as it came out then."""
        environment = self.environment()
        parts = [environment, *environment.get("earlier", [])]
        given = {name: getattr(self.recipe, name) for name in _LEFT if getattr(before, name, None) == "auto"}
        return {name: value for name, value in given.items() if value in [part.get(name) for part in parts]}

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from working in it; the ranks of a training run are one, which their first stands for.

        It is made if absent, and goes again if nothing is written.

        Raises:
            Refused: another process is at work in it.
        """
        from caduceus.train.ranks import process_rank

        if self.recipe.in_ranks and process_rank() != 0:
            yield
            return
        absent = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        with ExitStack() as lock:
            try:
                lock.enter_context(locked(self.path, wait=False))
            except Taken as error:
                raise Refused(f"another process is at work in {self.path}; let it end, or stop it, first") from error
            try:
                yield
            finally:
                with suppress(OSError):
                    (self.path / LOCK).unlink()
                    for folder in absent:
                        folder.rmdir()

    @property
    def started(self) -> bool:
        return (self.path / RECIPE).is_file()

    @property
    def finished(self) -> bool:
        return (self.path / RESULTS).is_file()

    def begin(self, environment: dict[str, Any]) -> None:
        """Make the folder and write which recipe runs in it, and where; where it ran before is kept under "earlier"."""
        self.path.mkdir(parents=True, exist_ok=True)
        if before := self.environment():
            last = {name: value for name, value in before.items() if name not in ("data", "earlier")}
            environment = environment | {"earlier": [*before.get("earlier", []), last]}
        sweep(self.path)
        self.write(RECIPE, self.recipe.to_yaml())  # first: a folder without it is no run
        self.write(ENVIRONMENT, json_text(environment))

    def environment(self) -> dict[str, Any]:
        """What `begin` wrote the last time; empty if it has not."""
        path = self.path / ENVIRONMENT
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return found

    def refuse_other_files(self, now: dict[str, dict[str, str]]) -> None:
        """Refused if the run began with other files than those of now, by their sha256."""
        before = self.environment().get("data", now)
        changed = [name for name in now if before.get(name, {}).get("sha256") != now[name]["sha256"]]
        if changed:
            raise Refused(
                f"the run in {self.path} began with another {' and '.join(changed)} (its sha256 differs); "
                "put that file back, or give another folder by --out"
            )

    def results(self) -> Results:
        """Of a finished run; Refused where a file that it read, and that is newer than they are, has changed."""
        from caduceus.recipes.digest import sha256

        finished = (self.path / RESULTS).stat().st_mtime
        read = self.environment().get("data", {})
        newer = {name: held for name, held in read.items() if _changed_at(Path(held["path"])) > finished}
        self.refuse_other_files({name: {"sha256": sha256(Path(held["path"]))} for name, held in newer.items()})
        found: Results = json.loads((self.path / RESULTS).read_text(encoding="utf-8"))
        return found

    def finish(self, results: Results) -> None:
        self.write(RESULTS, json_text(results))

    def write(self, name: str, text: str) -> None:
        """Write a file that is there whole or not at all."""
        with written_whole(self.path / name) as file:
            file.write(text.encode())


def _changed_at(path: Path) -> float:
    """When the file, or a file of the folder, was last written, put there or taken away; 0 for what is gone."""
    from caduceus.recipes.digest import held_in

    return max((max(one.stat().st_mtime, one.stat().st_ctime) for one in held_in(path)), default=0.0)


def json_text(value: dict[str, Any]) -> str:
    """As every JSON file of a run is written."""
    return json.dumps(value, indent=2) + "\n"
