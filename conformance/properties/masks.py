"""Masks: padding, wherever it is and whatever it holds, is as if it were not there."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from caduceus.alphabet import PAD
from caduceus.conformance.inputs import masked_content
from caduceus.conformance.properties.bounds import EXACT, MASKS, distance, largest, law
from caduceus.conformance.properties.strands import call_part, crop, mask_tensor, masked_part, strand_tensor
from caduceus.conformance.requirements import inner
from caduceus.conformance.subjects import Array, answer, array, features
from caduceus.symmetry import Strands, Track


def padded(ids: Array, left: int, right: int, content: Array) -> tuple[Array, Array]:
    """Ids with ``content`` (B, left + right) around them, and the mask of what they were."""
    mask = np.zeros((len(ids), left + ids.shape[1] + right), dtype=bool)
    mask[:, left : left + ids.shape[1]] = True
    return np.concatenate([content[:, :left], ids, content[:, left:]], axis=1), mask


@law("masks: padding changes nothing", MASKS)
def check_padding(model: Any, ids: Array, left: int, right: int, content: Array) -> float:
    """Answers and features of padded ids, at valid positions, against those of the ids alone."""
    more, mask = padded(ids, left, right, content)
    kind = Strands(1) if features(model, ids).ndim == 4 else Track(1)
    return max(
        distance(crop(model.space_out, answer(model, more, mask), left, right), answer(model, ids)),
        distance(crop(kind, features(model, more, mask), left, right), features(model, ids)),
    )


@law("masks: what masked positions hold", EXACT)
def check_masked_ids(model: Any, ids: Array, mask: Array, content: Array) -> float:
    """Other ids at masked positions, holes and all, change no bit of the answer."""
    return largest(answer(model, ids, mask) - answer(model, np.where(mask, ids, content), mask))


@law("masks: outputs at masked positions", EXACT)
def check_masked_outputs(model: Any, ids: Array, mask: Array) -> float:
    """Answers and features are exactly 0 where masked."""
    kind = Strands(1) if features(model, ids).ndim == 4 else Track(1)
    return max(
        largest(masked_part(model.space_out, answer(model, ids, mask), mask)),
        largest(masked_part(kind, features(model, ids, mask), mask)),
    )


@law("masks: rows without any valid position", EXACT)
def check_empty_rows(model: Any, ids: Array) -> float:
    """Features are 0, and so is the answer, but for a head's bias: the same for whatever ids.

    Whether a third party's head has one is not known.
    """
    nothing = np.zeros(ids.shape, dtype=bool)
    y, other = answer(model, ids, nothing), answer(model, ids[:, ::-1], nothing)
    head = inner(model.spec).head
    biased = y.ndim == 2 and head is not None and (head.is_foreign or head.bias)
    return max(largest(features(model, ids, nothing)), largest(y - other), 0.0 if biased else largest(y))


@law('masks: mask="pad" is where ids are not [PAD]', EXACT)
def check_pad_mask(model: Any, ids: Array) -> float:
    """The mask by name against the mask by hand."""
    return largest(answer(model, ids, "pad") - answer(model, ids, ids != PAD))


@law("masks: a mask that masks nothing", MASKS)
def check_full_mask(model: Any, ids: Array) -> float:
    """True everywhere is no mask at all."""
    return largest(answer(model, ids, np.ones(ids.shape, dtype=bool)) - answer(model, ids))


@law("masks: a mixer's masked content", EXACT)
def check_mixer_content(model: Any, x: Array, mask: Array, index: int = 0) -> float:
    """NaN or 0 at masked positions of a mixer's input: the same output, 0 at those positions.

    The model puts those zeros there for a third party's mixer, of which only valid positions are looked at.
    """
    path = f"mixers.{index}"
    nan, zero = (call_part(model, path, masked_content(x, mask, content), mask) for content in (np.nan, 0.0))
    if model.spec.mixers[index].is_foreign:
        return largest((nan - zero)[mask])
    return max(largest(nan - zero), largest(nan[~mask]))


@law("masks: padding of a mixer's input", MASKS)
def check_mixer_padding(model: Any, x: Array, left: int, right: int, content: float, index: int = 0) -> float:
    """A strand with ``content``, NaN for one, on either side, against the strand alone."""
    path = f"mixers.{index}"
    wide = np.pad(x, ((0, 0), (left, right), (0, 0)), constant_values=content)
    mask = np.zeros(wide.shape[:2], dtype=bool)
    mask[:, left : left + x.shape[1]] = True
    y = call_part(model, path, wide, mask)
    return distance(y[:, left : left + x.shape[1]], call_part(model, path, x))


@law("masks: gradients at masked positions of a mixer", EXACT)
def check_mixer_gradients_where_masked(model: Any, x: Array, mask: Array, seed: int, index: int = 0) -> float:
    """NaN content there: every gradient is finite, and that of the masked input is exactly 0."""
    part = model.get_submodule(f"mixers.{index}")
    given = strand_tensor(model, masked_content(x, mask, np.nan)).requires_grad_()
    y = part(given, mask_tensor(model, mask))
    cotangent = torch.as_tensor(np.random.default_rng(seed).standard_normal(tuple(y.shape))).to(y)
    by_x, *by_weights = torch.autograd.grad((y * cotangent).sum(), [given, *part.parameters()], allow_unused=True)
    finite = all(bool(g.isfinite().all()) for g in by_weights if g is not None)
    return largest(array(by_x)[~mask]) if finite else float("inf")


@law("masks: gradients of tokens that are only masked", EXACT)
def check_masked_token_gradients(model: Any, ids: Array, mask: Array, filler: int, seed: int) -> float:
    """The embedding of a token that stands at masked positions alone gets a gradient of exactly 0 from the features."""
    y = model.features(np.where(mask, ids, filler), mask)
    cotangent = torch.as_tensor(np.random.default_rng(seed).standard_normal(tuple(y.shape))).to(y)
    (found,) = torch.autograd.grad((y * cotangent).sum(), [model.embedding.weight])
    rows = {filler, model.space_in.alphabet.complement[filler]}
    return largest(array(found)[sorted(rows)])
