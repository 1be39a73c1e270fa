"""What every report.html is made of: one page that needs no network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

from caduceus.recipes.schema import Recipe
from caduceus.recipes.style import STYLE

NO_PICTURE = "The picture needs matplotlib: <code>pip install 'caduceus[plots]'</code>, then run the recipe again."


def page(recipe: Recipe, sections: Iterable[str]) -> str:
    """The page, as HTML, of pieces of HTML."""
    title, body = escape(recipe.name), "\n".join(sections)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}: report</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{STYLE}</style>\n</head>\n'
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def heading(recipe: Recipe) -> Iterator[str]:
    """The recipe's name and what it is about."""
    yield f"<h1>{escape(recipe.name)}</h1>"
    if recipe.about:
        yield f'<p class="lead">{escape(recipe.about)}</p>'


def numbers(figures: Iterable[tuple[str, str]]) -> str:
    """The figures to see first: value and name of each, as HTML."""
    return '<ul class="numbers">' + "".join(f"<li><b>{value}</b>{name}</li>" for value, name in figures) + "</ul>"


def table(header: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of pieces of HTML."""
    head = "".join(f"<th>{name}</th>" for name in header)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>" if head else f"<table>{body}</table>"


def made_with(recipe: Recipe, environment: dict[str, Any], facts: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The last section: facts, versions and the recipe."""
    versions = ", ".join(f"{name} {number}" for name, number in environment.get("versions", {}).items())
    cells = ((escape(name), escape(value)) for name, value in [*facts, ("versions", versions)])
    yield "<h2>How it was made</h2>"
    yield table((), cells).replace("<table>", '<table class="facts">')
    yield f"<details><summary>Recipe</summary><pre>{escape(recipe.to_yaml())}</pre></details>"
