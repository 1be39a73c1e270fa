"""Exact derivatives of the reference by a complex step.

For an analytic f with real values on the real axis,

    f(x + i h v) = f(x) + i h f'(x) v + O(h^2),    so    Im f(x + i h v) / h = f'(x) v   up to O(h^2).

No difference of close numbers is taken, so h can be 1e-30 and the result is as accurate as f itself.
Source: Squire and Trapp 1998, SIAM Review 40(1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from caduceus.reference.arrays import number


def directional_derivative(f: Callable[[Any], Any], x: Any, v: Any, h: float = 1e-30) -> Any:
    """The derivative of ``f`` at ``x`` along ``v``.

    Args:
        f: maps an array, or a dict of arrays such as the weights of a model, to a number, an array or a tuple of them.
        x: where. v: direction, of the same form; a dict may leave out what does not move.
        h: length of the step.

    Returns:
        what f returns, float64: number, array or tuple.

    Raises:
        ValueError: ``v`` names what ``x`` does not hold, or has another shape.

    >>> float(directional_derivative(lambda x: x**3, 2.0, 1.0))
    12.0
    """
    if not isinstance(x, Mapping):
        return _imaginary(f(_step(x, v, h, "v")), h)
    if unknown := sorted(set(v) - set(x)):
        raise ValueError(f"v has {unknown}, expected only names that x has")
    moved = {name: _step(value, v[name], h, f"v[{name!r}]") if name in v else value for name, value in x.items()}
    return _imaginary(f(moved), h)


def _step(x: Any, v: Any, h: float, name: str) -> Any:
    x, v = number(x), number(v)
    if x.shape != v.shape:
        raise ValueError(f"{name} has shape {v.shape}, expected {x.shape}")
    return x + 1j * h * v


def _imaginary(y: Any, h: float) -> Any:
    return tuple(_imaginary(part, h) for part in y) if isinstance(y, tuple) else np.imag(y) / h
