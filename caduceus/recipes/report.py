"""report.html of a pretraining run, at any time: one file that needs no network, for a reader new to this project."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from importlib.util import find_spec
from typing import Any

from caduceus.data import Score
from caduceus.recipes import figures
from caduceus.recipes.page import NO_PICTURE, figure, heading, made_with, numbers, page, shown, table
from caduceus.recipes.record import Record
from caduceus.recipes.run_dir import REPORT, RunFolder
from caduceus.recipes.schema import Results
from caduceus.recipes.summary import MODEL_ROW, comparison, equivariance, exact


def refresh(folder: RunFolder, results: Results | None = None) -> None:
    """Write report.html from what the folder holds; ``results`` are those that are about to be written."""
    folder.write(REPORT, report(Record.of(folder, results)))


def report(record: Record) -> str:
    """The page, as HTML."""
    return page(record.recipe, _sections(record), again=record.results is None)


def _sections(record: Record) -> Iterator[str]:
    pictures = find_spec("matplotlib") is not None
    yield from _head(record)
    yield from _bits(record)
    yield from _learning(record, pictures)
    if record.results:
        yield from _stretch(record.results["stretch"], pictures)
        yield from _strands(record, record.results)
    yield from _pace(record, pictures)
    yield from made_with(record.recipe, record.environment)


def _head(record: Record) -> Iterator[str]:
    recipe, results = record.recipe, record.results
    yield from heading(recipe)
    if recipe.protocol == "official":
        yield '<p class="note">Official protocol: the defects of the authors\' pipeline are restored.</p>'
    step = int(record.rows[-1]["step"] or 0) if record.rows else 0
    if results is None:
        yield (
            f'<p class="note">The run goes on: step {step:,} of {recipe.max_steps:,}. '
            "This page is made anew at each validation.</p>"
        )
    by_kind, error = record.by_kind, record.largest_equivariance_error
    pairs = [(shown(by_kind["model"]["all"], 3), "bits per held-out base")] if by_kind else []
    if results:
        pairs += [(exact(results["equivariance_error"]), "equivariance error")]
        pairs += [(f"{results['parameters']:,}", "parameters"), (f"{results['tokens']:,}", "tokens")]
        pairs += [(f"{results['seconds']:,.0f} s", "of training")]
    elif record.rows and error is not None:
        pairs += [(exact(error), "equivariance error"), (f"{record.rows[-1]['tokens']:,}", "tokens")]
    yield numbers(pairs)


def _bits(record: Record) -> Iterator[str]:
    yield "<h2>How well it predicts DNA</h2>"
    if record.by_kind is None:
        yield "<p>There has been no validation yet.</p>"
        return
    rows = comparison(record.by_kind)
    split = record.results["split"] if record.results else "valid"
    yield (
        "<p>Some bases of a sequence are hidden and the model says how probable each of A, C, G and T is there. "
        "A hidden base costs &minus;log<sub>2</sub> of the probability of the true one: 2 bits for a guess at random, "
        "fewer the more the model knows. The counting models look up how often each base was seen between the same "
        f"neighbours in the training sequence. All are scored on sequence held out from training "
        f"({escape(split)} split).</p>"
    )
    low, high = min(bits["all"] or 0.0 for _, bits in rows) - 0.02, 2.0
    yield '<table class="bars">'
    for name, bits in rows:
        share = max(0.0, min(1.0, ((bits["all"] or 0.0) - low) / (high - low)))
        own = ' class="own"' if name == MODEL_ROW else ""
        bar = f'<div style="width:{100 * share:.1f}%"></div>'
        yield f"<tr{own}><th>{escape(name)}</th><td class=num>{shown(bits['all'])}</td><td>{bar}</td></tr>"
    yield f"</table><p class=small>Bits per masked base, bars from {low:.2f} to {high:.2f}. Less is better.</p>"
    yield from _kinds(rows)


def _kinds(rows: list[tuple[str, dict[str, float | None]]]) -> Iterator[str]:
    marked = dict(rows)[MODEL_ROW]["repeat"] is not None
    kinds = Score.KINDS if marked else Score.KINDS[2:]
    cells = ([escape(name), *(shown(bits[kind], 3) for kind in kinds)] for name, bits in rows)
    yield table(("", *(figures.KIND_NAMES[kind] for kind in kinds)), cells, "kinds")
    note = "are lower case in the genome file" if marked else "are not marked in this genome: no letter is lower case"
    yield f"<p class=small>Bits per masked base by what the base is. Repeats {note}.</p>"


def _learning(record: Record, pictures: bool) -> Iterator[str]:
    yield "<h2>Learning</h2>"
    if pictures and record.rows:
        valid = record.baselines.get("valid")
        rows = comparison({"model": {"all": 0.0}, **valid}) if valid else []
        references = [(name, bits["all"] or 0.0) for name, bits in rows if name.startswith("counting")][:2]
        caption = "Bits per masked base, as training goes on; below, the learning rate. "
        caption += "Validation is on sequence that training never reads."
        yield figure(figures.loss_curve(record.rows, references), caption)
        if len(record.validations) > 1:
            caption = "Bits per masked base at the validations: in repeats and outside, and by base."
            yield figure(figures.kinds_curve(record.validations), caption)
    elif record.rows:
        yield f"<p>{NO_PICTURE}</p>"
    names = ("train/loss", "valid/loss", "valid/bits_per_base")
    cells = (
        [
            f"{row['step']:,}",
            f"{row['tokens']:,}",
            *(shown(row[name]) for name in names),
            exact(row["valid/equivariance_error"] or 0.0),
        ]
        for row in record.validations
    )
    header = ("step", "tokens", "training loss", "validation loss", "bits per base", "equivariance error")
    yield f"<details><summary>Validations</summary>{table(header, cells)}</details>"


def _stretch(stretch: dict[str, Any], pictures: bool) -> Iterator[str]:
    length = len(stretch["sequence"])
    place = f"{escape(stretch['contig'])}:{stretch['start'] + 1:,}&ndash;{stretch['start'] + length:,}"
    yield "<h2>What it predicts</h2>"
    yield (
        f"<p>{length} held-out bases, {place}: the middle of the first test window, not chosen for its "
        "looks. Each base is hidden in its turn and predicted from both sides.</p>"
    )
    if not pictures:
        yield f"<p>{NO_PICTURE}</p>"
        return
    yield figure(
        figures.predictions(stretch["sequence"], stretch["probabilities"]),
        "Below: the fuller the blue, the more probable; dots are the true bases. "
        "Above: what the true base costs; orange where a guess at random, the dashed line, would have cost less.",
    )


def _strands(record: Record, results: Results) -> Iterator[str]:
    yield "<h2>Both strands</h2>"
    yield (
        "<p>DNA can be read on either strand. Reading the reverse complement must give the reverse complement of the "
        "answer. The error below is the largest difference between two logits that should be equal, on random "
        "sequences of up to 64 bases, special tokens among them.</p>"
    )
    rows = equivariance(results)
    if (during := record.largest_equivariance_error) is not None:
        rows.insert(1, (f"this model during training, {len(record.validations)} times", during))
    yield table(("", "largest error"), ([escape(name), exact(error)] for name, error in rows))


def _pace(record: Record, pictures: bool) -> Iterator[str]:
    if record.tokens_per_second is None:
        return
    yield "<h2>Pace</h2>"
    waited = "" if record.waiting is None else f" A step waits for data {100 * record.waiting:.1f} % of its time."
    yield f"<p>{record.tokens_per_second:,.0f} tokens a second, validations included.{waited}</p>"
    if pictures and len(record.rows) > 1:
        yield figure(figures.pace(record.rows), "Tokens a second as training goes on.")
