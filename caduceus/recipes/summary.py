"""What a finished pretraining run says on the terminal, and the comparison that its report shows too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from caduceus.recipes.pretraining import Pretraining
from caduceus.recipes.run_dir import MODEL, RECIPE, REPORT, RunFolder
from caduceus.recipes.schema import Results

MODEL_ROW = "this model"


def comparison(by_kind: Mapping[str, Any]) -> list[tuple[str, dict[str, float | None]]]:
    """What was compared and its bits per base, "all" and by kind, the best first.

    Args:
        by_kind: as ``results["by_kind"]`` is.
    """
    rows = [
        (MODEL_ROW, by_kind["model"]),
        ("this model, untrained", by_kind["untrained"]),
        ("uniform", dict.fromkeys(by_kind["model"], 2.0)),
    ]
    rows += [(f"counting: {k} bases before", bits) for k, bits in by_kind["one_sided"].items()]
    rows += [(f"counting: {k} bases on each side", bits) for k, bits in by_kind["two_sided"].items()]
    return sorted(rows, key=lambda row: row[1]["all"])


def equivariance(results: Results) -> list[tuple[str, float]]:
    """What was compared and its equivariance error."""
    rows = [
        (MODEL_ROW, results["equivariance_error"]),
        ("the same weights on one strand", results["control_equivariance_error"]),
    ]
    return [(what, error) for what, error in rows if error is not None]


def exact(error: float) -> str:
    """An error in few digits; 0.0 only where it is nothing else.

    >>> exact(0.0), exact(1.23456e-7)
    ('0.0', '1.23e-07')
    """
    return "0.0" if error == 0 else f"{error:.3g}"


def table(recipe: Pretraining, folder: RunFolder, results: Results) -> str:
    """The summary of a finished run."""
    return "\n".join(_lines(recipe, folder, results))


def _lines(recipe: Pretraining, folder: RunFolder, results: Results) -> Iterator[str]:
    yield ""
    note = ", official protocol" if results["protocol"] == "official" else ""
    size = f"{results['parameters']:,} parameters, {results['tokens']:,} tokens"
    yield f"{recipe.name}: {size} in {results['seconds']:.0f} s{note}"
    yield ""
    yield f"bits per masked base, {results['targets']:,} held-out bases (less is better)"
    for name, bits in comparison(results["by_kind"]):
        yield f"  {_mark(name)} {name:<34}{bits['all']:8.4f}"
    yield ""
    yield "reverse-complement equivariance error (largest difference of two logits)"
    yield from (f"  {_mark(name)} {name:<34}{exact(error):>8}" for name, error in equivariance(results))
    yield ""
    yield f"run folder  {folder.path}"
    yield f"report      {folder.path / REPORT}"
    yield ""
    yield "next"
    yield f'  python -c "import caduceus; print(caduceus.load_pretrained({str(folder.path / MODEL)!r}).spec)"'
    yield f"  python -m caduceus.recipes run {folder.path / RECIPE} --set max_steps={4 * recipe.max_steps}"
    yield "  python -m caduceus.recipes list"


def _mark(name: str) -> str:
    return ">" if name == MODEL_ROW else " "
