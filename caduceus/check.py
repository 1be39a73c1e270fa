"""Assertions that anyone can make about a model: reverse-complement equivariance and bidirectionality.

They work on every backend's models and on any callable with `space_in` and `space_out`. What a model promises is exact:
compare `equivariance_error` of a `ps` model with 0.0, not with a tolerance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from caduceus.alphabet import BASES
from caduceus.symmetry import Tokens

LENGTHS = (1, 2, 3, 17, 64)


def equivariance_error(
    model: Any, *, lengths: Sequence[int] = LENGTHS, batch: int = 2, n: int = 8, seed: int = 0
) -> float:
    """Largest |rc(model(x)) - model(rc(x))| over random inputs, in eval mode; rc on either side by the model's spaces.

    Args:
        model: a callable with ``space_in`` and ``space_out`` (`caduceus.symmetry.Space`).
        lengths: sequence lengths to try. batch: sequences at a time. n: inputs per length. seed: of the inputs.

    Returns:
        0.0 for an equivariant model; NaN in an output counts as infinite.

    Raises:
        TypeError: the model has no spaces. ValueError: there is nothing to compare.

    >>> import caduceus
    >>> from caduceus import parts
    >>> plain = parts.Model(equivariance="none", embedding=parts.Embedding(d_model=8), mixers=[parts.Mamba()])
    >>> equivariance_error(caduceus.build(plain), lengths=(5,), n=1) > 0.01
    True
    """
    if not (hasattr(model, "space_in") and hasattr(model, "space_out")):
        raise TypeError(
            f"{model!r} has no space_in and space_out (caduceus.symmetry.Space), which say what rc is on it"
        )
    if not lengths or n < 1 or batch < 1:
        raise ValueError(f"lengths are {lengths}, n {n} and batch {batch}: nothing would be compared")
    rng = np.random.default_rng(seed)
    worst = 0.0
    with _evaluating(model):
        for length in lengths:
            for _ in range(n):
                x = model.space_in.sample(rng, batch, length)
                here = model.space_out.act(_call(model, x))
                there = _call(model, model.space_in.act(x))
                worst = max(worst, _largest(here - there))
    return worst


def assert_equivariant(model: Any, *, atol: float = 0.0, **options: Any) -> None:
    """Raise AssertionError if `equivariance_error` (same options) is above ``atol``."""
    error = equivariance_error(model, **options)
    if not error <= atol:
        raise AssertionError(
            f"reverse-complement equivariance error is {error:.3g}, expected at most {atol:g}: "
            f"{model.space_in} -> {model.space_out}"
        )


def assert_bidirectional(model: Any, *, length: int = 12, seed: int = 0) -> None:
    """Raise AssertionError unless every output position depends on the bases at both ends of the sequence.

    Args:
        model: a model of tokens with an output per position, (B, L, ...) or strands (B, 2, L, C).
        length: of the random sequences, at least 3.
    """
    for end, name in ((0, "first"), (length - 1, "last")):
        if still := positions_unmoved(model, end, length=length, seed=seed):
            raise AssertionError(f"outputs at positions {still} do not depend on the {name} base: not bidirectional")


def positions_unmoved(model: Any, where: int, *, length: int = 12, seed: int = 0) -> list[int]:
    """Output positions that stay the same, to the bit, when the base at position ``where`` changes.

    A causal model leaves all positions before it; a bidirectional one none.
    """
    if not isinstance(model.space_in, Tokens):
        raise TypeError(f"a model of Tokens is expected, got one of {model.space_in}")
    rng = np.random.default_rng(seed)
    ids = rng.choice(BASES, (len(BASES), length))
    ids[:] = ids[0]
    ids[:, where] = BASES
    with _evaluating(model):
        y = np.stack([_call(model, row[None]) for row in ids])[:, 0]
    if y.ndim == 4:
        y = np.concatenate([y[:, 0], y[:, 1, ::-1]], axis=-1)
    if y.ndim != 3:
        raise TypeError(f"an output per position is expected, got {model.space_out}")
    moved = np.abs(y - y[:1]).max(axis=(0, 2)) > 0
    return [int(i) for i in np.flatnonzero(~moved)]


def _call(model: Any, x: np.ndarray) -> np.ndarray:
    """The model on an array, as an array; inputs other than ids in the dtype of the model's parameters."""
    if not hasattr(model, "parameters"):
        return np.asarray(model(x))
    import torch

    parameter = next(iter(model.parameters()), torch.zeros(()))
    tensor = torch.as_tensor(x, device=parameter.device)
    if tensor.is_floating_point():
        tensor = tensor.to(parameter.dtype)
    with torch.no_grad():
        return model(tensor).to(torch.promote_types(parameter.dtype, torch.float32)).cpu().numpy()


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    was_training = getattr(model, "training", False)
    if was_training:
        model.eval()
    try:
        yield
    finally:
        if was_training:
            model.train()


def _largest(difference: np.ndarray) -> float:
    if difference.size == 0:
        return 0.0
    largest = float(np.abs(difference).max())
    return float("inf") if np.isnan(largest) else largest
