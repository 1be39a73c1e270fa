"""The action of rc: representations on channels, and spaces, on arrays and tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from caduceus.alphabet import encode
from caduceus.conformance.properties.bounds import EXACT, distance, law
from caduceus.symmetry import Rep, Space, Strands, Tokens, Track

Array = np.ndarray
_PARTNER = {"A": "T", "C": "G", "G": "C", "T": "A", "N": "N"}


@law("representations: rc rc x = x", EXACT)
def check_rep_involution(rep: Rep, x: Array) -> float:
    """The representation of {e, rc}: rc twice is e."""
    return distance(rep.act(rep.act(x)), x)


@law("representations: rc is the signed permutation it says", EXACT)
def check_rep_definition(rep: Rep, x: Array) -> float:
    """rc(x)[..., i] = sign[i] x[..., perm[i]], one channel at a time."""
    expected = np.stack([sign * x[..., source] for source, sign in zip(rep.perm, rep.sign, strict=True)], axis=-1)
    return distance(rep.act(x), expected)


@law("representations: a sum acts on each summand", EXACT)
def check_rep_sum(first: Rep, second: Rep, x: Array, y: Array) -> float:
    """(rho + sigma)(x, y) = (rho x, sigma y)."""
    joined = (first + second).act(np.concatenate([x, y], axis=-1))
    return distance(joined, np.concatenate([first.act(x), second.act(y)], axis=-1))


@law("representations: linear", EXACT)
def check_rep_linear(rep: Rep, x: Array, y: Array) -> float:
    """rc(2 x - y) = 2 rc x - rc y: signs and places change, so not even a bit is rounded."""
    return distance(rep.act(2 * x - y), 2 * rep.act(x) - rep.act(y))


@law("representations: tensors as arrays", EXACT)
def check_rep_on_tensors(rep: Rep, x: Array) -> float:
    """The same on a tensor, in its own dtype."""
    found = [rep.act(torch.from_numpy(x).to(dtype)) for dtype in (torch.float64, torch.float32)]
    if [y.dtype for y in found] != [torch.float64, torch.float32]:
        return float("inf")
    return max(distance(y.numpy(), rep.act(x.astype(y.numpy().dtype))) for y in found)


@law("spaces: rc rc x = x, and the mask comes along", EXACT)
def check_space_involution(space: Space, x: Array, mask: Array) -> float:
    """Twice is nothing, for what is in the space and for its mask; the mask is flipped once by once."""
    y, moved = space.act(x, mask)
    back, returned = space.act(y, moved)
    return max(
        distance(back, x),
        distance(returned.astype(float), mask.astype(float)),
        distance(moved.astype(float), mask[:, ::-1].astype(float)),
        distance(space.act(x), y),
    )


@law("spaces: where rc moves things", EXACT)
def check_space_definition(space: Space, x: Array) -> float:
    """Positions flip, strands change places, channels move, one entry at a time."""
    y = space.act(x)
    length = x.shape[2 if isinstance(space, Strands) else 1]
    if isinstance(space, Tokens):
        expected = np.array([[space.alphabet.complement[i] for i in row[::-1]] for row in x])
    elif isinstance(space, Strands):
        expected = np.stack([x[:, 1], x[:, 0]], axis=1)
    elif isinstance(space, Track):
        expected = np.stack([space.rep.act(x[:, length - 1 - i]) for i in range(length)], axis=1)
    else:
        expected = space.rep.act(x)  # type: ignore[attr-defined]
    return distance(np.asarray(y, dtype=float), expected.astype(float))


@law("spaces: tensors as arrays", EXACT)
def check_space_on_tensors(space: Space, x: Array, mask: Array) -> float:
    """The same on tensors."""
    found: Any = space.act(torch.from_numpy(x), torch.from_numpy(mask))
    expected = space.act(x, mask)
    return max(distance(a.numpy().astype(float), b.astype(float)) for a, b in zip(found, expected, strict=True))


@law("spaces: tokens are the text's", EXACT)
def check_tokens_match_text(space: Space, text: str) -> float:
    """rc of the ids of a text is the ids of the text read from the other strand, base by base."""
    other = "".join(_PARTNER[letter] for letter in reversed(text))
    return distance(space.act(encode(text)[0]).astype(float), encode(other)[0].astype(float))
