"""A YAML file and ``--set`` options, to a validated recipe."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from caduceus.recipes.errors import Refused, explain
from caduceus.recipes.schema import Recipe, kind_of

_RESOLVERS = {
    first: [("tag:yaml.org,2002:str", re.compile(r"[-+]?[\d_]+(:[0-5]?\d)+(\.[\d_]*)?$")), *others]
    for first, others in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _StrictLoader(yaml.SafeLoader):
    """Refuses a field that is given twice, where YAML takes the last; 10:00:00 is text, no number to the base 60."""

    yaml_implicit_resolvers = _RESOLVERS

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := sorted({str(key) for key in keys if keys.count(key) > 1}):
            raise yaml.YAMLError(f"{', '.join(twice)} given twice,{node.start_mark}")
        return super().construct_mapping(node, deep)


def read(path: Path) -> dict[str, Any]:
    """The fields of a recipe file, as written."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Refused(f"{path} is not YAML: {error}") from error
    if not isinstance(data, dict):
        raise Refused(f"{path} holds no recipe, expected fields such as task and model")
    return data


def load(path: Path, options: Sequence[str] = ()) -> Recipe:
    """A recipe with ``options``, each ``path.to.field=value``, put in before anything is validated.

    Raises:
        Refused: a field is unknown or holds what it cannot; all such fields are listed.
    """
    data = {"name": path.stem, **read(path)}
    for option in options:
        assign(data, option)
    kind = kind_of(data.get("task"))
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise Refused(f"{path}\n{explain(error, kind, data)}") from error


def assign(data: dict[str, Any], option: str) -> None:
    """Set one field of nested mappings and lists; the value is read as YAML.

    >>> data = {"model": {"mixers": [{"kind": "bimamba"}]}}
    >>> assign(data, "model.mixers.0.kind=mamba"); assign(data, "batch.tokens=1024"); data
    {'model': {'mixers': [{'kind': 'mamba'}]}, 'batch': {'tokens': 1024}}
    """
    dotted, equals, text = option.partition("=")
    if not equals or not dotted:
        raise Refused(f"--set {option!r} is no path.to.field=value")
    try:
        value = yaml.load(text, _StrictLoader)
    except yaml.YAMLError as error:
        raise Refused(f"--set {dotted}: {text!r} is not a YAML value: {error}") from error
    *above, last = dotted.split(".")
    here: Any = data
    for i, key in enumerate(above):
        if isinstance(here, dict) and here.get(key) is None:
            here[key] = {}
        here = _item(here, key, dotted)
        if not isinstance(here, dict | list):
            raise Refused(f"--set {dotted}: {'.'.join(above[: i + 1])} is {here!r}, which has no fields")
    if isinstance(here, list):
        _item(here, last, dotted)
        here[int(last)] = value
    else:
        here[last] = value


def _item(here: Any, key: str, dotted: str) -> Any:
    if isinstance(here, dict):
        return here[key]
    if not (key.isdigit() and int(key) < len(here)):
        raise Refused(f"--set {dotted}: {key!r} is no place in a list of {len(here)}, expected 0 to {len(here) - 1}")
    return here[int(key)]
