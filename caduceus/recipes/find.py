"""Recipes by name: a path, a name in ./recipes, or one that the package ships."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from caduceus.recipes.errors import Refused, closest


def folders() -> list[Path]:
    """Where names are looked for, in this order."""
    return [Path("recipes"), Path(str(files("caduceus.recipes.shipped")))]


def named() -> dict[str, Path]:
    """Every recipe that has a name; one in ./recipes goes before the shipped one of the same name."""
    found: dict[str, Path] = {}
    for folder in folders():
        for path in sorted(folder.glob("*.yaml")):
            found.setdefault(path.stem, path)
    return found


def find(name: str) -> Path:
    """The file of a recipe, with or without ``.yaml``.

    Raises:
        Refused: there is none; the message names the closest.
    """
    for candidate in (Path(name), Path(f"{name}.yaml")):
        if candidate.is_file():
            return candidate
    recipes = named()
    stem = name.removesuffix(".yaml")
    if stem in recipes:
        return recipes[stem]
    raise Refused(f"no recipe {name!r}, neither a file nor a name{closest(stem, recipes)}")


def data_path(given: str, *, folders: bool = False) -> Path | None:
    """An existing file: as given, or under ``$CADUCEUS_DATA``; ~ and $VARIABLES are expanded. None if there is none.

    Args:
        folders: an existing folder will do too.
    """
    path = Path(os.path.expandvars(given)).expanduser()
    folder = os.environ.get("CADUCEUS_DATA")
    candidates = [path] if folder is None else [path, Path(folder) / path]
    return next((each for each in candidates if each.is_file() or (folders and each.is_dir())), None)
