"""Laws of add_norm: it adds, then norms every position over its channels."""

from __future__ import annotations

import numpy as np

from caduceus import reference
from caduceus.conformance.properties.bounds import EXACT, GRADIENTS, MASKS, VALUES, distance, law
from caduceus.conformance.properties.calculus import gradient_error
from caduceus.conformance.subjects import Arguments, Subject, array

NORM = "add_norm"


@law("norm: values of the reference", VALUES)
def check_norm_values(subject: Subject, arguments: Arguments) -> float:
    """The normed sum and the sum, against the reference."""
    seen = subject.rounded(arguments)
    return distance(subject.kernel(NORM, seen), reference.add_norm(**seen))


@law("norm: gradients of the reference", GRADIENTS)
def check_norm_gradients(subject: Subject, arguments: Arguments, seed: int) -> float:
    """Derivatives by every argument along random directions, against the reference's complex step."""
    return gradient_error(subject, NORM, arguments, seed)


@law("norm: a position alone is the position in its sequence", MASKS)
def check_norm_positions(subject: Subject, arguments: Arguments) -> float:
    """The norm is over channels only: one position of one row by itself gives the same."""
    whole = subject.kernel(NORM, arguments)
    i, t = (n // 2 for n in arguments["x"].shape[:2])
    alone = {n: x[i : i + 1, t : t + 1] if n in ("x", "residual") else x for n, x in arguments.items()}
    return distance(tuple(y[i : i + 1, t : t + 1] for y in whole), subject.kernel(NORM, alone))


@law("kernels: what they are given stays as it was", EXACT)
def check_inputs_kept(subject: Subject, kernel: str, arguments: Arguments) -> float:
    """A kernel writes to none of its arguments."""
    given = {n: subject.put(x) for n, x in arguments.items()}
    before = {n: np.array(array(x)) for n, x in given.items() if hasattr(x, "shape")}
    getattr(subject.backend, kernel)(**given)
    return max(distance(array(given[n]).astype(float), x.astype(float)) for n, x in before.items())
