"""Checks of the action of rc, and of models by the commuting square alone."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from caduceus import parts
from caduceus.conformance import golden_cases, inputs
from caduceus.conformance.mutants.check import LENGTH, Check, holds, model
from caduceus.conformance.properties import equivariance, representations
from caduceus.symmetry import Space, Strands, Tokens, Track, Vector, permutation, reverse_complement, signed, trivial

REP = trivial(1) + permutation([1, 0]) + signed(2)
SPACES: tuple[Space, ...] = (Tokens(), Strands(3), Track(REP), Vector(REP))
MASK = np.array([[True, True, False, True, False], [False, True, True, True, True]])
EQUIVARIANT = (
    "ps-masked_lm-untied",
    "ps-one_way",
    "ps-tracks",
    "ps-vector",
    "ph-conjoined-always",
    "average-vector",
)


def _samples() -> Iterator[tuple[Space, np.ndarray]]:
    for seed, space in enumerate(SPACES):
        yield space, space.sample(np.random.default_rng(seed), 2, 5)


def text() -> Iterator[bool]:
    """Ids against text, and text against what the authors' function gave."""
    tokens = parts.Embedding(d_model=2).space_in
    yield holds(representations.check_tokens_match_text, tokens, "AACCCGTTTN")
    recorded = json.loads((golden_cases.FOLDER / "rc_and_mlm.json").read_text(encoding="utf-8"))
    yield all(reverse_complement(here) == there for here, there in recorded["string_reverse_complement"].items())


def involution() -> Iterator[bool]:
    """What a wrong action may well satisfy: rc rc x = x."""
    for space, x in _samples():
        yield holds(representations.check_space_involution, space, x, MASK)


def action() -> Iterator[bool]:
    """The action entry by entry, on arrays and tensors."""
    yield holds(representations.check_rep_definition, REP, np.random.default_rng(9).standard_normal((3, REP.channels)))
    for space, x in _samples():
        yield holds(representations.check_space_definition, space, x)
        yield holds(representations.check_space_on_tensors, space, x, MASK)


def square() -> Iterator[bool]:
    """model(rc x) = rc model(x), with rc as the library has it."""
    for name in EQUIVARIANT:
        yield holds(equivariance.check_equivariance_at, model(name), (LENGTH,))


def square_of_features() -> Iterator[bool]:
    yield holds(equivariance.check_feature_equivariance, model("ps-one_way"), inputs.random_bases(0, 2, LENGTH))


def square_under_masks() -> Iterator[bool]:
    for name in ("ps-masked_lm", "ps-vector", "average-masked_lm"):
        yield holds(equivariance.check_masked_equivariance, model(name), 2, LENGTH, seed=1)


CHECKS: dict[str, Check] = {
    "text": text,
    "involution": involution,
    "action of rc": action,
    "equivariance": square,
    "equivariance of features": square_of_features,
    "equivariance under masks": square_under_masks,
}
