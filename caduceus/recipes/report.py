"""report.html: one file that needs no network, for a reader who has never seen this project."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from caduceus.recipes.figures import loss_curve, predictions
from caduceus.recipes.page import NO_PICTURE, heading, made_with, numbers, page, table
from caduceus.recipes.pretraining import Pretraining
from caduceus.recipes.schema import Results
from caduceus.recipes.summary import MODEL_ROW, comparison, equivariance, exact
from caduceus.train.metrics import Row

if TYPE_CHECKING:
    from caduceus.recipes.conclude import Stretch


def report(
    recipe: Pretraining, results: Results, rows: Sequence[Row], environment: dict[str, Any], stretch: Stretch
) -> str:
    """The page, as HTML."""
    return page(recipe, _sections(recipe, results, rows, environment, stretch))


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
        yield f"<p>{NO_PICTURE}</p>"
    yield from _validations(rows)
    yield from _stretch_section(stretch, pictures)
    yield from _strands(results)
    yield from _made_with(recipe, environment)


def _head(recipe: Pretraining, results: Results) -> Iterator[str]:
    yield from heading(recipe)
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
    yield numbers(figures)


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
    yield table(("step", "tokens", "training loss", "validation loss", "bits per base"), cells)
    yield "</details>"


def _stretch_section(stretch: Stretch, pictures: bool) -> Iterator[str]:
    place = f"{escape(stretch.contig)}:{stretch.start + 1:,}&ndash;{stretch.start + len(stretch.ids):,}"
    yield "<h2>What it predicts</h2>"
    yield (
        f"<p>{len(stretch.ids)} held-out bases, {place}: the middle of the first test window, not chosen for its "
        "looks. Each base is hidden in its turn and predicted from both sides.</p>"
    )
    if not pictures:
        yield f"<p>{NO_PICTURE}</p>"
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
    yield table(("", "largest error"), ((escape(name), exact(error)) for name, error in equivariance(results)))


def _made_with(recipe: Pretraining, environment: dict[str, Any]) -> Iterator[str]:
    facts = [
        (name, str(environment[name])) for name in ("started", "device", "threads", "backend", "precision", "seed")
    ]
    facts += [("data", f"{data['path']} (sha256 {data['sha256'][:16]}…)") for data in environment["data"].values()]
    yield from made_with(recipe, environment, facts)


def _shown(value: float | int | None) -> str:
    return "" if value is None else f"{value:.4f}"
