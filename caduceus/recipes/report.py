"""report.html: one file that needs no network, for a reader who has never seen this project."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from caduceus.recipes.figures import loss_curve, predictions
from caduceus.recipes.pretraining import Pretraining
from caduceus.recipes.schema import Results
from caduceus.recipes.style import STYLE
from caduceus.recipes.summary import MODEL_ROW, comparison, equivariance, exact
from caduceus.train.metrics import Row

if TYPE_CHECKING:
    from caduceus.recipes.conclude import Stretch

_INSTALL = "The picture needs matplotlib: <code>pip install 'caduceus[plots]'</code>, then run the recipe again."


def report(
    recipe: Pretraining, results: Results, rows: Sequence[Row], environment: dict[str, Any], stretch: Stretch
) -> str:
    """The page, as HTML."""
    title = escape(recipe.name)
    body = "\n".join(_sections(recipe, results, rows, environment, stretch))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}: report</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{STYLE}</style>\n</head>\n'
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _sections(
    recipe: Pretraining, results: Results, rows: Sequence[Row], environment: dict[str, Any], stretch: Stretch
) -> Iterator[str]:
    pictures = find_spec("matplotlib") is not None
    yield from _head(recipe, results)
    yield from _bits(results)
    yield "<h2>Learning</h2>"
    if pictures:
        references = [row for row in comparison(results) if row[0].startswith("counting")][:2]
        yield f"<figure>{loss_curve(rows, references)}<figcaption>Bits per masked base, as training goes on. "
        yield "Validation is on sequence that training never reads.</figcaption></figure>"
    else:
        yield f"<p>{_INSTALL}</p>"
    yield from _validations(rows)
    yield from _stretch_section(stretch, pictures)
    yield from _strands(results)
    yield from _made_with(recipe, environment)


def _head(recipe: Pretraining, results: Results) -> Iterator[str]:
    yield f"<h1>{escape(recipe.name)}</h1>"
    if recipe.about:
        yield f'<p class="lead">{escape(recipe.about)}</p>'
    if results["protocol"] == "official":
        yield '<p class="note">Official protocol: the defects of the authors\' pipeline are restored.</p>'
    found = results["bits_per_base"]
    figures = [
        (f"{found['model']:.3f}", "bits per held-out base"),
        (exact(results["equivariance_error"]), "equivariance error"),
        (f"{results['parameters']:,}", "parameters"),
        (f"{results['tokens']:,}", "tokens"),
        (f"{results['seconds']:,.0f} s", "of training"),
    ]
    yield '<ul class="numbers">' + "".join(f"<li><b>{value}</b>{name}</li>" for value, name in figures) + "</ul>"


def _bits(results: Results) -> Iterator[str]:
    yield "<h2>How well it predicts DNA</h2>"
    yield (
        "<p>Some bases of a sequence are hidden and the model says how probable each of A, C, G and T is there. "
        "A hidden base costs &minus;log<sub>2</sub> of the probability of the true one: 2 bits for a guess at random, "
        "fewer the more the model knows. The counting models look up how often each base was seen between the same "
        f"neighbours in the training sequence. All are scored on sequence held out from training "
        f"({escape(results['split'])} split).</p>"
    )
    low, high = min(bits for _, bits in comparison(results)) - 0.02, 2.0
    yield '<table class="bars">'
    for name, bits in comparison(results):
        share = max(0.0, min(1.0, (bits - low) / (high - low)))
        own = ' class="own"' if name == MODEL_ROW else ""
        bar = f'<div style="width:{100 * share:.1f}%"></div>'
        yield f"<tr{own}><th>{escape(name)}</th><td class=num>{bits:.4f}</td><td>{bar}</td></tr>"
    yield f"</table><p class=small>Bits per masked base, bars from {low:.2f} to {high:.2f}. Less is better.</p>"


def _validations(rows: Sequence[Row]) -> Iterator[str]:
    found = [row for row in rows if row.get("valid/bits_per_base") is not None]
    cells = (
        (
            f"{row['step']:,}",
            f"{row['tokens']:,}",
            _shown(row["train/loss"]),
            _shown(row["valid/loss"]),
            _shown(row["valid/bits_per_base"]),
        )
        for row in found
    )
    yield "<details><summary>Validations</summary>"
    yield _table(("step", "tokens", "training loss", "validation loss", "bits per base"), cells)
    yield "</details>"


def _stretch_section(stretch: Stretch, pictures: bool) -> Iterator[str]:
    place = f"{escape(stretch.contig)}:{stretch.start + 1:,}&ndash;{stretch.start + len(stretch.ids):,}"
    yield "<h2>What it predicts</h2>"
    yield (
        f"<p>{len(stretch.ids)} held-out bases, {place}: the middle of the first test window, not chosen for its "
        "looks. Each base is hidden in its turn and predicted from both sides.</p>"
    )
    if not pictures:
        yield f"<p>{_INSTALL}</p>"
        return
    yield f"<figure>{predictions(stretch)}<figcaption>Below: the fuller the blue, the more probable; dots are the true "
    yield "bases. "
    yield "Above: what the true base costs; orange where a guess at random, the dashed line, would have cost less."
    yield "</figcaption></figure>"


def _strands(results: Results) -> Iterator[str]:
    yield "<h2>Both strands</h2>"
    yield (
        "<p>DNA can be read on either strand. Reading the reverse complement must give the reverse complement of the "
        "answer. The error below is the largest difference between two logits that should be equal, on random "
        "sequences of up to 64 bases, special tokens among them.</p>"
    )
    yield _table(("", "largest error"), ((escape(name), exact(error)) for name, error in equivariance(results)))


def _made_with(recipe: Pretraining, environment: dict[str, Any]) -> Iterator[str]:
    yield "<h2>How it was made</h2>"
    versions = ", ".join(f"{name} {number}" for name, number in environment.get("versions", {}).items())
    facts = [
        (name, str(environment[name])) for name in ("started", "device", "threads", "backend", "precision", "seed")
    ]
    facts += [("data", f"{data['path']} (sha256 {data['sha256'][:16]}…)") for data in environment["data"].values()]
    cells = ((escape(name), escape(value)) for name, value in [*facts, ("versions", versions)])
    yield _table((), cells).replace("<table>", '<table class="facts">')
    yield f"<details><summary>Recipe</summary><pre>{escape(recipe.to_yaml())}</pre></details>"


def _table(header: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in header)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>" if head else f"<table>{body}</table>"


def _shown(value: float | int | None) -> str:
    return "" if value is None else f"{value:.4f}"
