"""What each launch of a BiMamba layer moves and computes, forward and backward, on each path there is.

Counted per token, one sequence at a time, both directions, projections tied, fusion `add`: elements read and written,
products of matrices in FLOP (a multiply and an add are two), exponentials. Weights are not counted: they are read once
for all tokens. Neither is what the kernels widen inside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Layer(NamedTuple):
    """Sizes of a layer: d_model, d_inner, d_state, dt_rank."""

    d: int
    e: int
    n: int
    r: int


class Load(NamedTuple):
    """Per token: elements moved, FLOP of products, exponentials."""

    moved: int = 0
    flops: int = 0
    exps: int = 0


class Step(NamedTuple):
    """A launch, and what its backward launches; what has no forward is only done for gradients."""

    name: str
    forward: Load
    backward: Load = Load()


Path = Callable[[Layer], list[Step]]


def _product(name: str, inputs: int, outputs: int) -> Step:
    """Its backward is two products, into the gradients of the input and of the weight."""
    forward = Load(inputs + outputs, flops=2 * inputs * outputs)
    return Step(name, forward, Load(2 * forward.moved, 2 * forward.flops))


def _copy(name: str, elements: int) -> Step:
    return Step(name, Load(2 * elements), Load(2 * elements))


def _convolution(name: str, elements: int) -> Step:
    """The backward reads the input and a gradient, and writes one."""
    return Step(name, Load(2 * elements), Load(3 * elements))


def _sum(name: str, elements: int) -> Step:
    """Of two; both get the gradient of the sum itself."""
    return Step(name, Load(3 * elements))


def _parted(name: str, elements: int) -> Step:
    """Views; the gradients of the parts are put together."""
    return Step(name, Load(), Load(2 * elements))


def _used_again(name: str, elements: int) -> Step:
    """The gradient of each further use is added."""
    return Step(name, Load(), Load(3 * elements))


def _scan(e: int, n: int) -> Step:
    """It reads u, dt, B and C, and writes y; backward, these and dy, and the gradients of the four."""
    return Step("scan", Load(3 * e + 2 * n, exps=e * n), Load(5 * e + 4 * n, exps=e * n))


def _gated_scan(e: int, n: int) -> Step:
    """It reads z too, and writes y with and without the gate; backward, these as well, and the gradient of z."""
    return Step("scan and gate", Load(5 * e + 2 * n, exps=e * n), Load(8 * e + 4 * n, exps=e * n))


def _selection(e: int, n: int, r: int) -> list[Step]:
    """x_proj and dt_proj; u goes on to the scan besides."""
    return [
        _used_again("u", e),
        _product("x_proj", e, r + 2 * n),
        _parted("dt, B and C", r + 2 * n),
        _product("dt_proj", r, e),
    ]


def authors(layer: Layer) -> list[Step]:
    """The authors' structure on the same kernels: two whole Mambas, the second between two flips, then a sum."""
    d, e, n, r = layer
    one = [
        _product("in_proj", d, 2 * e),
        _parted("x and z", 2 * e),
        _convolution("conv", e),
        *_selection(e, n, r),
        _gated_scan(e, n),
        _product("out_proj", e, d),
    ]
    return [_used_again("h", d), *one, _copy("flip in", d), *one, _copy("flip out", d), _sum("sum", d)]


def fused(layer: Layer) -> list[Step]:
    """`CudaBackend.mamba`: one product in, one out, L fastest throughout, flips of x, z and y for the way back."""
    d, e, n, r = layer
    one = [_convolution("conv", e), *_selection(e, n, r), _gated_scan(e, n)]
    return [
        *(_product("in_proj", d, 2 * e), _used_again("x and z", 2 * e)),
        *one,
        *(_copy("flip x and z", 2 * e), *one, _copy("flip y", e)),
        _sum("sum of directions", e),
        _product("out_proj", e, d),
    ]


def walking_back(layer: Layer) -> list[Step]:
    """The same with a scan and a convolution that could walk back: what is to be had from such functions. There are
    none in these packages."""
    return [step for step in fused(layer) if not step.name.startswith("flip")]


def kernels(layer: Layer) -> list[Step]:
    """The same from the backend's three kernels, which take and give channels fastest; forward alone."""
    d, e, n, r = layer
    select = [step for step in _selection(e, n, r) if step.forward.moved]
    lay = [_copy("u and dt, L fastest", 2 * e), _copy("B and C, L fastest", 2 * n)]
    flips = [_copy("flip u and dt", 2 * e), _copy("flip B and C", 2 * n)]
    return [
        _product("in_proj", d, 2 * e),
        *(_convolution("conv", e), *select, *lay, _scan(e, n)),
        *(_copy("pad", e), _convolution("conv back", e), *select, *flips, *lay, _scan(e, n), _copy("flip y", e)),
        *(_sum("sum of directions", e), _copy("silu of z", e), Step("gate", Load(3 * e))),
        _product("out_proj", e, d),
    ]


def least(layer: Layer) -> list[Step]:
    """One launch each way that reads h, or it and a gradient, and writes the result: no implementation of these
    formulas does with less."""
    d, e, n, r = layer
    products = 2 * (d * 2 * e + 2 * (e * (r + 2 * n) + r * e) + e * d)
    exps = 2 * e * n
    return [Step("everything", Load(2 * d, products, exps), Load(3 * d, 2 * products, exps))]


def total(steps: list[Step], train: bool) -> Load:
    """Of all launches of a forward, or of a forward and its backward."""
    loads = [load for step in steps for load in ((step.forward, step.backward) if train else (step.forward,))]
    return Load(*map(sum, zip(*loads, strict=True)))
