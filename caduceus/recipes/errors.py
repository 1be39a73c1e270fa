"""Bad input, said in a paragraph: which field, what was expected, what came, and what to do."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Iterator
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from caduceus.spec import find_kind


class Refused(Exception):
    """Input that cannot be worked with; found before any work was done."""


class FetchFailed(OSError):
    """A file could not be brought, or is not what it should be; nothing is left under its name."""


def closest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the nearest name, or the list of all.

    >>> closest("optimizer", ["optimiser", "seed"])
    "; did you mean 'optimiser'?"
    >>> closest("weight", ["optimiser", "seed"])
    '; expected one of optimiser, seed'
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; expected one of {', '.join(names)}" if names else ""


def explain(error: ValidationError, cls: type[BaseModel], data: Any) -> str:
    """What is wrong with ``data`` for ``cls``, one line a field."""
    return "\n".join(_line(found, cls, data) for found in error.errors(include_url=False))


def _line(found: Any, cls: type[BaseModel], data: Any) -> str:
    where = ".".join(map(str, found["loc"]))
    if found["type"] == "extra_forbidden":
        *above, last = found["loc"]
        elsewhere = list(_places(cls, str(last)))
        hint = f"; did you mean {elsewhere[0]!r}?" if elsewhere else closest(str(last), _fields(cls, data, above))
        return f"{where}: no such field{hint}"
    own = found["type"] == "value_error"
    given = "" if own or isinstance(found["input"], dict | list) else f", got {found['input']!r}"
    message = found["msg"].removeprefix("Value error, ") + given
    return f"{where}: {message}" if where else message


def _fields(cls: type[BaseModel] | None, data: Any, loc: Iterable[int | str]) -> list[str]:
    """Names of the fields of what is at ``loc``: a spec names its class by ``kind``, if that is no field of it."""
    for key in loc:
        field = cls.model_fields.get(str(key)) if cls else None
        cls = _model_in(field.annotation) if field else None
        data = data[key]
        kind = data.get("kind", "model" if key == "model" else None) if isinstance(data, dict) else None
        if kind and not (cls and "kind" in cls.model_fields):
            cls = find_kind(kind)
    return list(cls.model_fields) if cls else []


def _places(cls: type[BaseModel], name: str, above: str = "") -> Iterator[str]:
    """Dotted paths of the fields of that name, in ``cls`` and in what it holds."""
    for field, info in cls.model_fields.items():
        if field == name:
            yield above + field
        inner = _model_in(info.annotation)
        if inner:
            yield from _places(inner, name, f"{above}{field}.")


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if get_origin(annotation) in (Union, types.UnionType):
        return next(filter(None, map(_model_in, get_args(annotation))), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
