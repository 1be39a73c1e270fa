"""The paper's pretraining runs by size: model, length and steps together (docs/published_models.md 9)."""

from __future__ import annotations

from typing import Any, NamedTuple


class Size(NamedTuple):
    """Length of a sequence, and updates; a step is 2^20 tokens at each size."""

    length: int
    max_steps: int


SIZES = {
    "1k-d118": Size(1_024, 10_000),
    "1k-d128": Size(1_024, 10_000),
    "1k-d256": Size(1_024, 10_000),
    "32k": Size(32_768, 10_000),
    "131k": Size(131_072, 50_000),
}
TOKENS = 1 << 20


def expanded(data: dict[str, Any]) -> dict[str, Any]:
    """The fields of a recipe with its ``size`` replaced by what it stands for; fields that are given win.

    Raises:
        ValueError: the size is unknown, or every field it sets is given.

    >>> expanded({"size": "32k", "max_steps": 5})["max_steps"], expanded({"size": "32k"})["model"]
    (5, 'caduceus-ps-32k')
    """
    data = dict(data)
    name = data.pop("size", None)
    if name is None:
        return data
    if name not in SIZES:
        raise ValueError(f"size is {name!r}, expected one of {', '.join(SIZES)}")
    size = SIZES[name]
    plain = data.get("equivariance") in ("ph", "none")
    meant = {
        "model": f"caduceus-{'ph' if plain else 'ps'}-{name}",
        "max_steps": size.max_steps,
        "data": {"length": size.length},
        "batch": {"tokens": TOKENS},
    }
    before = dict(data)
    for field, value in meant.items():
        data[field] = _filled(data.get(field), value)
    if data == before:
        raise ValueError(
            f"size is {name!r}, but all that it sets is given: {', '.join(meant)}; leave one or the other out"
        )
    return data


def _filled(given: Any, meant: Any) -> Any:
    """What is given, and where nothing is, what the size means."""
    if given is None:
        return meant
    if isinstance(meant, dict) and isinstance(given, dict):
        return meant | {key: value for key, value in given.items() if value is not None}
    return given
