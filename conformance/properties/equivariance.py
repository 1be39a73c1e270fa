"""The commuting square: model(rc x) = rc model(x), to the last bit where a model promises it."""

from __future__ import annotations

from typing import Any

import numpy as np

from caduceus.conformance.inputs import random_ids, random_mask
from caduceus.conformance.properties.bounds import EXACT, GRADIENTS, VALUES, distance, largest, law
from caduceus.conformance.properties.calculus import pull_back
from caduceus.conformance.properties.strands import parameters
from caduceus.conformance.subjects import Array, answer, features
from caduceus.symmetry import Strands


@law("equivariance: model(rc x) = rc model(x)", EXACT)
def check_equivariance(model: Any, ids: Array, mask: Array | None = None) -> float:
    """The answer to the reverse complement, its mask flipped too, against rc of the answer."""
    rc, rc_mask = (model.space_in.act(ids), None) if mask is None else model.space_in.act(ids, mask)
    return largest(answer(model, rc, rc_mask) - model.space_out.act(answer(model, ids, mask)))


@law("equivariance: at every length", EXACT)
def check_equivariance_at(model: Any, lengths: Any, batch: int = 1, seed: int = 0) -> float:
    """Random ids of every length in turn."""
    return max(check_equivariance(model, random_ids(seed, model.space_in, batch, n)) for n in lengths)


@law("equivariance: with random masks", EXACT)
def check_masked_equivariance(model: Any, batch: int, length: int, seed: int) -> float:
    """The square holds for every mask, holes and all."""
    return check_equivariance(model, random_ids(seed, model.space_in, batch, length), random_mask(seed, batch, length))


@law("equivariance: features exchange strands", EXACT)
def check_feature_equivariance(model: Any, ids: Array) -> float:
    """Features are strands (B, 2, L, C): those of the reverse complement are the same two, exchanged."""
    here, there = features(model, ids), features(model, model.space_in.act(ids))
    return largest(there - Strands(here.shape[-1]).act(here))


@law("equivariance: gradients of an invariant loss", GRADIENTS)
def check_gradient_equivariance(model: Any, ids: Array, seed: int) -> float:
    """A loss of x with targets c, and of rc x with targets rc c, is one function of the weights."""
    y = model(ids)
    cotangent = np.random.default_rng(seed).standard_normal(tuple(y.shape))
    found = _pull(model, ids, cotangent)
    moved = _pull(model, model.space_in.act(ids), model.space_out.act(cotangent))
    scale = max(max(map(largest, found.values())), 1e-30)
    return max(largest(found[n] - moved[n]) for n in found) / scale


def _pull(model: Any, ids: Array, cotangent: Array) -> dict[str, Array]:
    return pull_back([model(ids)], dict(parameters(model)), [cotangent])


@law("equivariance: what is equivariant is its own average", EXACT)
def check_average_is_itself(model: Any, average: Any, ids: Array) -> float:
    """`Symmetrize` of a model that is equivariant already, with the same weights, changes nothing."""
    return largest(answer(model, ids) - answer(average, ids))


@law("strands: the plain network on x and on rc x", VALUES)
def check_strands_are_plain(model: Any, plain: Any, ids: Array) -> float:
    """The features of a ps model are those of the plain model with its weights, on each strand in its own order."""
    found = features(model, ids)
    rc = model.space_in.act(ids)
    return max(distance(found[:, 0], features(plain, ids)), distance(found[:, 1], features(plain, rc)))


@law("strands: how a head joins them", VALUES)
def check_strands_are_joined(model: Any, plain: Any, ids: Array) -> float:
    """Sum for a language model, mean for any other: of the plain model's answer to x and rc of its answer to rc x."""
    there = model.space_out.act(answer(plain, model.space_in.act(ids)))
    total = answer(plain, ids) + there
    expected = total if model.spec.bound_head.join == "sum" else total / 2
    return distance(answer(model, ids), expected)
