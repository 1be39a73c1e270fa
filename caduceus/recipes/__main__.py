"""``python -m caduceus.recipes``: list, show, fetch, check, run, join, doctor.

Exit status: 0 done, 1 failure, 2 bad input; with a checkpoint from which the same command continues: 124 stopped at
max_time, 128 + N by signal N (129 SIGHUP, 130 SIGINT, 138 SIGUSR1, 143 SIGTERM).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from caduceus.recipes.errors import Refused
from caduceus.recipes.find import find, named
from caduceus.recipes.load import load, read
from caduceus.recipes.run_dir import RunFolder
from caduceus.recipes.schema import kind_of
from caduceus.train.signals import Stopped


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status."""
    told = _parser().parse_args(arguments)
    try:
        told.command(told)
    except Refused as error:
        return _ended(f"error: {error}", 2)
    except AssertionError as error:
        return _ended(f"failed: the model does not do what it declares: {error}", 1)
    except (OSError, FloatingPointError, MemoryError) as error:
        return _ended(f"failed: {error}", 1)
    except Stopped as signal:
        return _ended(f"{signal}; the same command continues", signal.code)
    except KeyboardInterrupt:
        return _ended("stopped", 130)
    return 0


def _ended(message: str, status: int) -> int:
    print(message, file=sys.stderr)
    return status


def _list(told: argparse.Namespace) -> None:
    for name, path in named().items():
        try:
            recipe = read(path)
        except Refused as error:
            recipe = {"about": error}
        print(f"{name:<24}{recipe.get('task', '?'):<16}{recipe.get('about', '')}")


def _show(told: argparse.Namespace) -> None:
    path = find(told.recipe)
    print(load(path, told.set).to_yaml() if told.set or told.resolved else path.read_text(encoding="utf-8"), end="")


def _fetch(told: argparse.Namespace) -> None:
    from caduceus.recipes.fetch import data_folder, fetch
    from caduceus.recipes.sources import load_source

    fetch(load_source(told.source, told.set), told.to or data_folder())


def _check(told: argparse.Namespace) -> None:
    load(find(told.recipe), _options(told)).check()


def _run(told: argparse.Namespace) -> None:
    recipe = load(find(told.recipe), _options(told))
    folder = RunFolder(recipe, told.out)
    if folder.finished:
        print(f"{folder.path} holds this run, finished")
        results = folder.results()
    else:
        with folder.held():
            results = folder.results() if folder.finished else recipe.run(folder)
    if results:
        print(recipe.summary(folder, results))


def _options(told: argparse.Namespace) -> list[str]:
    """The fields that are set: those of --set, and the shard."""
    if told.shard is None:
        return list(told.set)
    task = read(find(told.recipe)).get("task")
    if "shard" not in kind_of(task).model_fields:
        raise Refused(f"{told.recipe} is of task {task}, which is not done in parts: it has no field shard")
    return [*told.set, f"shard={told.shard}"]


def _join(told: argparse.Namespace) -> None:
    from caduceus.recipes.join import join

    print(join(told.runs, told.out))


def _doctor(told: argparse.Namespace) -> None:
    from caduceus.recipes.doctor import diagnosis

    print(diagnosis())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m caduceus.recipes", description="Whole runs from YAML files.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(command=function)
        return added

    command("list", _list, "the recipes that have a name: those in ./recipes and those of the package")
    show = command("show", _show, "a recipe's file, comments included; with --set, every field as resolved")
    fetch = command("fetch", _fetch, "bring the files of a data set, or check those that are here; hg38 is one")
    fetch.add_argument("source", metavar="NAME", help="a data set, such as hg38: a name, or a path")
    fetch.add_argument("--to", type=Path, metavar="DIR", help="the data folder (default: $CADUCEUS_DATA, else here)")
    check = command(
        "check", _check, "validate, find files, build the model, assert its properties, estimate; write nothing"
    )
    run = command("run", _run, "do it; the same recipe again continues, or shows the result of a finished run")
    joined = command(
        "join", _join, "put the shards of a scoring run together: the files that one run would have written"
    )
    joined.add_argument("out", type=Path, metavar="OUT", help="a folder for the whole files; made if absent")
    joined.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="the run folders of all shards, in any order")
    command("doctor", _doctor, "what this machine has: versions, backends, device, extras, folders")
    for each in (show, check, run):
        each.add_argument("recipe", metavar="NAME", help="a path, or a name that `list` shows, with or without .yaml")
    for each in (show, fetch, check, run):
        each.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="FIELD=VALUE",
            help="set one field, such as --set batch.tokens=8192; the value is YAML; may be given several times",
        )
    for each in (check, run):
        each.add_argument("--shard", metavar="I/N", help="the I-th of N parts: the same as --set shard=I/N")
    show.add_argument("--resolved", action="store_true", help="every field, defaults and sizes filled in")
    run.add_argument("--out", type=Path, metavar="DIR", help="the run folder (default: runs/NAME-DIGEST)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
