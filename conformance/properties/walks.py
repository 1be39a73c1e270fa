"""What holds for every kernel that walks along a sequence and carries a state: the scan and the convolution."""

from __future__ import annotations

from typing import Any

import numpy as np

from caduceus.conformance.properties.bounds import distance
from caduceus.conformance.subjects import Arguments, Subject

ALONG_LENGTH = ("u", "dt", "B", "C", "z", "x", "mask")


def sliced(arguments: Arguments, where: Any) -> Arguments:
    """The arguments at some positions of the sequence."""
    return {n: x[:, where] if n in ALONG_LENGTH else x for n, x in arguments.items()}


def split_error(subject: Subject, kernel: str, arguments: Arguments, cut: int) -> float:
    """The sequence in two pieces, the second from the state that the first left, against the whole."""
    whole = subject.kernel(kernel, arguments)
    pieces = [slice(0, cut), slice(cut, whole[0].shape[1])]
    state, ys = arguments.get("state"), {}
    for piece in reversed(pieces) if arguments["reverse"] else pieces:
        given = sliced(arguments, piece) | ({} if state is None else {"state": state})
        ys[piece.start], state = subject.kernel(kernel, given)
    joined = np.concatenate([ys[piece.start] for piece in pieces], axis=1)
    return distance((joined, state), whole, arguments.get("mask"))


def reverse_error(subject: Subject, kernel: str, arguments: Arguments) -> float:
    """A walk forwards along the flipped sequence against the walk backwards, and the other way round."""
    flipped = sliced(arguments, slice(None, None, -1)) | {"reverse": not arguments["reverse"]}
    y, state = subject.kernel(kernel, flipped)
    return distance((y[:, ::-1], state), subject.kernel(kernel, arguments), arguments.get("mask"))


def rows_error(subject: Subject, kernel: str, arguments: Arguments) -> float:
    """Every row of a batch in a batch of its own, against the row in its batch."""
    y, state = subject.kernel(kernel, arguments)
    worst = 0.0
    for row in (slice(i, i + 1) for i in range(len(y))):
        alone = {n: x[row] if n in (*ALONG_LENGTH, "state") else x for n, x in arguments.items()}
        worst = max(worst, distance((y[row], state[row]), subject.kernel(kernel, alone)))
    return worst
