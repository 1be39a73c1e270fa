"""What every report.html is made of: pieces of HTML, and one page around them that needs no network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

from caduceus.recipes.schema import Recipe
from caduceus.recipes.style import STYLE

NO_PICTURE = (
    "The picture needs matplotlib: <code>pip install 'caduceus[plots]'</code>, then run the recipe with another "
    "<code>--out</code>."
)
_AGAIN = '<meta http-equiv="refresh" content="60">\n'
_FACTS = ("started", "platform", "processor", "device", "jobs", "threads", "backend", "precision", "seed")


def page(recipe: Recipe, sections: Iterable[str], *, again: bool = False) -> str:
    """The page of pieces of HTML; ``again``: browsers load it anew each minute."""
    body = "\n".join(sections)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(recipe.name)}: report'
        f'</title>\n<meta name="viewport" content="width=device-width, initial-scale=1">\n{_AGAIN if again else ""}'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def heading(recipe: Recipe) -> Iterator[str]:
    """The recipe's name and what it is about."""
    yield f"<h1>{escape(recipe.name)}</h1>"
    if recipe.about:
        yield f'<p class="lead">{escape(recipe.about)}</p>'


def numbers(pairs: Iterable[tuple[str, str]]) -> str:
    """The figures to see first: value and name of each, as HTML."""
    return '<ul class="numbers">' + "".join(f"<li><b>{value}</b>{name}</li>" for value, name in pairs) + "</ul>"


def table(header: Iterable[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table of cells that are HTML already; ``kind`` names its look in the style."""
    head = "".join(f"<th>{name}</th>" for name in header)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    look = f' class="{kind}"' if kind else ""
    return f"<table{look}>{f'<tr>{head}</tr>' if head else ''}{body}</table>"


def figure(picture: str, caption: str = "") -> str:
    """A picture, and what is said below it."""
    below = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f"<figure>{picture}{below}</figure>"


def made_with(recipe: Recipe, environment: dict[str, Any], facts: Iterable[tuple[str, str]] = ()) -> Iterator[str]:
    """The last section: where, when, with which versions and on which data; further facts; and the recipe."""
    known = [(name, str(environment[name])) for name in _FACTS if name in environment]
    files = environment.get("data", {}).values()
    known += [("data", f"{data['path']} (sha256 {data['sha256'][:16]}…)") for data in files]
    versions = ", ".join(f"{name} {number}" for name, number in environment.get("versions", {}).items())
    cells = ((escape(name), escape(value)) for name, value in [*known, *facts, ("versions", versions)])
    yield "<h2>How it was made</h2>"
    yield table((), cells, "facts")
    yield f"<details><summary>Recipe</summary><pre>{escape(recipe.to_yaml())}</pre></details>"


def shown(value: float | int | None, places: int = 4) -> str:
    """A number of so many places; nothing for None."""
    return "" if value is None else f"{value:.{places}f}"
