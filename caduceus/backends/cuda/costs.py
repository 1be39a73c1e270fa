"""What one BiMamba layer moves and computes on a GPU, and the time below which no card can do it.

    python -m caduceus.backends.cuda.costs --length 131072 --d-model 256

`counts` has what each launch does. A launch takes at least as long as the slowest of its bytes, its products and its
exponentials, and launches follow one another; real kernels take longer. Nothing here has been measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from math import ceil
from typing import NamedTuple

from caduceus.backends.cuda import counts
from caduceus.backends.cuda.counts import Layer, Load, Path, Step, total


class Card(NamedTuple):
    """By its data sheet: bytes a second, 16-bit FLOP a second without sparsity, exponentials a second (16 a clock and
    multiprocessor)."""

    name: str
    bandwidth: float
    flops: float
    exps: float


CARDS = (
    Card("H200", 4.80e12, 989e12, 132 * 16 * 1.98e9),
    Card("H100 SXM", 3.35e12, 989e12, 132 * 16 * 1.98e9),
    Card("A100 SXM 80G", 2.04e12, 312e12, 108 * 16 * 1.41e9),
    Card("RTX 4090", 1.01e12, 165e12, 128 * 16 * 2.52e9),
    Card("L4", 0.30e12, 121e12, 60 * 16 * 2.04e9),
)

AUTHORS = "authors' structure"
PATHS: dict[str, Path] = {
    AUTHORS: counts.authors,
    "this backend": counts.fused,
    "its three kernels": counts.kernels,
    "functions that walk back": counts.walking_back,
    "floor": counts.least,
}
FORWARD_ONLY = ("its three kernels",)
"""Whose backward is not counted."""


def seconds(steps: Sequence[Step], tokens: int, itemsize: int, card: Card, train: bool = False) -> float:
    """No shorter time is possible for these launches on this card."""

    def least(load: Load) -> float:
        return max(load.moved * itemsize / card.bandwidth, load.flops / card.flops, load.exps / card.exps)

    return tokens * sum(least(step.forward) + (least(step.backward) if train else 0.0) for step in steps)


def table(layer: Layer, tokens: int, itemsize: int, train: bool = False) -> str:
    """A line for each path: what it moves and computes in all, and milliseconds on each card, with how many times as
    long the authors' structure takes."""
    lines = [["path", "elements a token", "GB", "GFLOP", "G exp", *(f"{card.name}, ms" for card in CARDS)]]
    slowest = [seconds(counts.authors(layer), tokens, itemsize, card, train) for card in CARDS]
    for name, path in PATHS.items():
        if train and name in FORWARD_ONLY:
            continue
        steps = path(layer)
        moved, flops, exps = total(steps, train)
        sums = [f"{tokens * x / 1e9:.2f}" for x in (moved * itemsize, flops, exps)]
        times = [seconds(steps, tokens, itemsize, card, train) for card in CARDS]
        shown = [f"{1e3 * x:.2f}" + _gain(name, slow / x) for x, slow in zip(times, slowest, strict=True)]
        lines.append([name, f"{moved}", *sums, *shown])
    return "\n".join(_aligned(lines))


def _gain(name: str, times: float) -> str:
    return "" if name == AUTHORS else f" ({times:.2f}x)"


def _aligned(lines: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def tables(layer: Layer, tokens: int, itemsize: int) -> str:
    """Of a forward, and of a forward and its backward."""
    return "\n\n".join(
        f"{what}\n{table(layer, tokens, itemsize, train)}"
        for what, train in (("forward", False), ("forward and backward", True))
    )


def main(options: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m caduceus.backends.cuda.costs", description=__doc__.splitlines()[0])
    parser.add_argument("--length", type=int, default=131072)
    parser.add_argument("--d-model", type=int, default=256)
    parser.add_argument("--expand", type=int, default=2)
    parser.add_argument("--d-state", type=int, default=16)
    parser.add_argument("--itemsize", type=int, choices=(2, 4), default=2, help="bytes an element")
    found = parser.parse_args(options)
    layer = Layer(found.d_model, found.expand * found.d_model, found.d_state, ceil(found.d_model / 16))
    print(tables(layer, found.length, found.itemsize))


if __name__ == "__main__":
    main()
