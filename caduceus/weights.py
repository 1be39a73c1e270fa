"""What a part owns: names, shapes, initial values and ties of its weights, as pure data.

Initial values follow the authors' code, so that training from scratch starts where theirs does. A weight is drawn from
(seed, name) alone: the same seed gives the same weights on every backend, whatever is built before or beside it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np


class Init:
    """A rule for initial values."""

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """float64 array of ``shape``."""
        raise NotImplementedError


@dataclass(frozen=True)
class Uniform(Init):
    """U(-bound, bound)."""

    bound: float

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return rng.uniform(-self.bound, self.bound, shape)


@dataclass(frozen=True)
class Normal(Init):
    """N(0, std^2)."""

    std: float

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return rng.normal(0.0, self.std, shape)


@dataclass(frozen=True)
class Constant(Init):
    """One value everywhere."""

    value: float

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return np.full(shape, self.value, dtype=np.float64)


@dataclass(frozen=True)
class LogRange(Init):
    """Each row is ln(1), ln(2), ..., ln(N): the S4D-real initial value of ``A_log``."""

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return np.broadcast_to(np.log(np.arange(1, shape[-1] + 1)), shape).copy()


@dataclass(frozen=True)
class InverseSoftplusLogUniform(Init):
    """b with softplus(b) = max(dt, floor), where ln dt is uniform between ln ``low`` and ln ``high``."""

    low: float
    high: float
    floor: float

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        dt = np.maximum(np.exp(rng.uniform(np.log(self.low), np.log(self.high), shape)), self.floor)
        return dt + np.log(-np.expm1(-dt))


@dataclass(frozen=True)
class Weight:
    """One weight of a part.

    Attributes:
        shape: its shape.
        init: how it starts; of a tied weight, that of the weight it is tied to.
        tied_to: name of the weight whose values it shares; a tied weight has no values of its own.
        decay: whether an optimiser should decay it (the authors' rules: not biases, ``A_log``, ``D``, embeddings).
        closes_residual: it ends a residual branch, so that a model scales its initial values by 1/sqrt(depth).
        wide: kept in float32 or wider whatever the dtype of the model (``A_log``, ``D``).
    """

    shape: tuple[int, ...]
    init: Init
    tied_to: str | None = None
    decay: bool = True
    closes_residual: bool = False
    wide: bool = False


Weights = dict[str, Weight]


def prefixed(prefix: str, weights: Mapping[str, Weight]) -> Weights:
    """The same weights one level deeper in the tree: ``in_proj.weight`` -> ``mixers.0.in_proj.weight``."""
    return {
        f"{prefix}.{name}": replace(w, tied_to=None if w.tied_to is None else f"{prefix}.{w.tied_to}")
        for name, w in weights.items()
    }


def draw(weights: Mapping[str, Weight], seed: int, residual_scale: float = 1.0) -> dict[str, np.ndarray]:
    """Initial values (float32) of every weight that is not tied; each depends on (seed, its name) alone.

    float32 whatever a model computes in, so that models of either precision start from the same values.
    """
    values = {}
    for name, weight in weights.items():
        if weight.tied_to is None:
            rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
            scale = residual_scale if weight.closes_residual else 1.0
            values[name] = (weight.init.draw(rng, weight.shape) * scale).astype(np.float32)
    return values


def owned(weights: Mapping[str, Weight]) -> Weights:
    """The weights that have values of their own."""
    return {name: w for name, w in weights.items() if w.tied_to is None}


def check_values(weights: Mapping[str, Weight], values: Mapping[str, np.ndarray], foreign: Sequence[str] = ()) -> None:
    """Raise ValueError unless ``values`` are exactly the weights owned, in their shapes.

    Names that start with one of ``foreign`` belong to third parties' parts, which declare nothing here.
    """
    wanted = owned(weights)
    missing = sorted(wanted.keys() - values.keys())
    unknown = sorted(n for n in values.keys() - wanted.keys() if not n.startswith(tuple(foreign)))
    if missing or unknown:
        raise ValueError(f"weights do not fit the spec: missing {missing}, unknown {unknown}")
    for name, weight in wanted.items():
        if tuple(values[name].shape) != weight.shape:
            raise ValueError(f"weight {name} has shape {tuple(values[name].shape)}, expected {weight.shape}")
