"""Letters of a sequence logo as outlines: any number of them is one shape, which zooms quickly."""

from __future__ import annotations

from functools import cache

import numpy as np

from caduceus.extras import require

# Points of an outline that enclose less than this share of the letter with their neighbours are left out.
_LEAST_AREA = 0.003
# Shares of the width and of the height between letters that are left free.
_SIDE, _BETWEEN = 0.04, 0.02


@cache
def outline(letter: str) -> np.ndarray:
    """(n, 2) float32 in the unit square; holes run the other way round, NaN between the parts."""
    paths = require("matplotlib.textpath", "plots")
    bold = require("matplotlib.font_manager", "plots").FontProperties(family="DejaVu Sans", weight="bold")
    polygons = paths.TextPath((0, 0), letter, size=100, prop=bold).to_polygons()
    low, high = (limit(np.concatenate(polygons), 0) for limit in (np.min, np.max))
    gap = np.full((1, 2), np.nan)
    parts = [part for polygon in polygons for part in (_thinned((polygon - low) / (high - low)), gap)]
    return np.concatenate(parts[:-1]).astype(np.float32)


def _thinned(closed: np.ndarray) -> np.ndarray:
    """A polygon without the points that hardly change it, and without the last, which is the first again."""
    points = closed[:-1]
    while True:
        (x, y), (u, v) = ((np.roll(points, step, 0) - points).T for step in (1, -1))
        area = np.abs(x * v - y * u) / 2
        if area.min() > _LEAST_AREA:
            return points
        points = np.delete(points, area.argmin(), 0)


def letters(
    letter: str, centres: np.ndarray, bottoms: np.ndarray, heights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """x and y of as many copies of a letter, each one wide around its centre; NaN between them.

    Args:
        centres, bottoms, heights: (n,); a height below zero hangs the letter from its bottom, upright.
    """
    shape = np.concatenate([outline(letter), np.full((1, 2), np.nan, np.float32)])
    low = np.minimum(bottoms, bottoms + heights)
    size = np.abs(heights)
    x = centres[:, None] - 0.5 + _SIDE + shape[None, :, 0] * (1 - 2 * _SIDE)
    y = low[:, None] + size[:, None] * (_BETWEEN / 2 + shape[None, :, 1] * (1 - _BETWEEN))
    return x.ravel(), y.ravel()


def boxes(centres: np.ndarray, middles: np.ndarray, width: float, height: float) -> tuple[np.ndarray, np.ndarray]:
    """x and y of rectangles around (n,) centres, NaN between them."""
    corners = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1), (np.nan, np.nan)]) / 2
    x = centres[:, None] + width * corners[None, :, 0]
    y = middles[:, None] + height * corners[None, :, 1]
    return x.ravel(), y.ravel()
