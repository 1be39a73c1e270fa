"""What one BiMamba layer moves and computes on a GPU, forward, and the time below which no card can do it.

    python -m caduceus.backends.cuda.costs --length 131072 --d-model 256

Counted per token, one sequence at a time, both directions, projections tied, fusion `add`: elements read and written
by each launch, products of matrices in FLOP (a multiply and an add are two), exponentials. Weights are not counted:
they are read once for all tokens. A launch takes at least as long as the slowest of its three, and launches follow one
another; real kernels take longer. Nothing here has been measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from math import ceil
from typing import NamedTuple


class Layer(NamedTuple):
    """Sizes of a layer: d_model, d_inner, d_state, dt_rank."""

    d: int
    e: int
    n: int
    r: int


class Step(NamedTuple):
    """One launch, per token: elements moved, FLOP of products, exponentials."""

    name: str
    moved: int
    flops: int = 0
    exps: int = 0


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


def _product(name: str, inputs: int, outputs: int) -> Step:
    return Step(name, inputs + outputs, flops=2 * inputs * outputs)


def _copy(name: str, elements: int) -> Step:
    return Step(name, 2 * elements)


def _gated_scan(e: int, n: int) -> Step:
    """It reads u, dt, z, B and C, and writes y with and without the gate."""
    return Step("scan and gate", 3 * e + 2 * n + 2 * e, exps=e * n)


def authors(layer: Layer) -> list[Step]:
    """The authors' BiMamba on the same kernels: two whole Mambas, the second between two flips, then a sum."""
    d, e, n, r = layer
    one = [
        _product("in_proj", d, 2 * e),
        _copy("conv", e),
        _product("x_proj", e, r + 2 * n),
        _product("dt_proj", r, e),
        _copy("B and C, L fastest", 2 * n),
        _gated_scan(e, n),
        _product("out_proj", e, d),
    ]
    return [*one, _copy("flip in", d), *one, _copy("flip out", d), Step("sum", 3 * d)]


def fused(layer: Layer) -> list[Step]:
    """`CudaBackend.mamba`: one product in, one out, L fastest throughout, flips of x, z and y for the way back."""
    d, e, n, r = layer
    one = [
        _copy("conv", e),
        _product("x_proj", e, r + 2 * n),
        _product("dt_proj", r, e),
        _gated_scan(e, n),
    ]
    return [
        _product("in_proj", d, 2 * e),
        *one,
        *(_copy("flip x and z", 2 * e), *one, _copy("flip y", e)),
        Step("sum of directions", 3 * e),
        _product("out_proj", e, d),
    ]


def kernels(layer: Layer) -> list[Step]:
    """The same from the backend's three kernels, which take and give channels fastest."""
    d, e, n, r = layer
    select = [_product("x_proj", e, r + 2 * n), _product("dt_proj", r, e)]
    lay = [_copy("u and dt, L fastest", 2 * e), _copy("B and C, L fastest", 2 * n)]
    scan = Step("scan", 2 * e + 2 * n + e, exps=e * n)
    flips = [_copy("flip u and dt", 2 * e), _copy("flip B and C", 2 * n)]
    return [
        _product("in_proj", d, 2 * e),
        *(_copy("conv", e), *select, *lay, scan),
        *(_copy("pad", e), _copy("conv back", e), *select, *flips, *lay, scan, _copy("flip y", e)),
        *(Step("sum of directions", 3 * e), _copy("silu of z", e), Step("gate", 3 * e)),
        _product("out_proj", e, d),
    ]


def least(layer: Layer) -> list[Step]:
    """One launch that reads h and writes the result: no implementation of these formulas does with less."""
    d, e, n, r = layer
    products = 2 * (d * 2 * e + 2 * (e * (r + 2 * n) + r * e) + e * d)
    return [Step("everything", 2 * d, flops=products, exps=2 * e * n)]


PATHS: dict[str, Callable[[Layer], list[Step]]] = {
    "authors' structure": authors,
    "this backend": fused,
    "its three kernels": kernels,
    "floor": least,
}


def seconds(steps: Sequence[Step], tokens: int, itemsize: int, card: Card) -> float:
    """No shorter time is possible for these launches on this card."""
    return tokens * sum(
        max(step.moved * itemsize / card.bandwidth, step.flops / card.flops, step.exps / card.exps) for step in steps
    )


def table(layer: Layer, tokens: int, itemsize: int) -> str:
    """A line for each path: what it moves and computes in all, and milliseconds on each card."""
    head = ["path", "elements a token", "GB", "GFLOP", "G exp", *(f"{card.name}, ms" for card in CARDS)]
    lines = [head]
    for name, path in PATHS.items():
        steps = path(layer)
        moved = sum(step.moved for step in steps)
        totals = (moved * itemsize, sum(step.flops for step in steps), sum(step.exps for step in steps))
        sums = [f"{tokens * total / 1e9:.2f}" for total in totals]
        lines.append([name, f"{moved}", *sums, *(f"{1e3 * seconds(steps, tokens, itemsize, c):.2f}" for c in CARDS)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def main(options: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m caduceus.backends.cuda.costs", description=__doc__.splitlines()[0])
    parser.add_argument("--length", type=int, default=131072)
    parser.add_argument("--d-model", type=int, default=256)
    parser.add_argument("--expand", type=int, default=2)
    parser.add_argument("--d-state", type=int, default=16)
    parser.add_argument("--itemsize", type=int, choices=(2, 4), default=2, help="bytes an element")
    found = parser.parse_args(options)
    layer = Layer(found.d_model, found.expand * found.d_model, found.d_state, ceil(found.d_model / 16))
    print(table(layer, found.length, found.itemsize))


if __name__ == "__main__":
    main()
