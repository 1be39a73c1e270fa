"""Checks of whole models: the reference's values and gradients, directions, masks, initial values."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

import caduceus
from caduceus.alphabet import N
from caduceus.conformance import golden_cases, inputs
from caduceus.conformance.catalogue import BOTH, FORWARD
from caduceus.conformance.checkpoints.folders import Scale, small_lm
from caduceus.conformance.mutants.check import LENGTH, Check, holds, model, refused
from caduceus.conformance.properties import directions, masks, values, weights
from caduceus.conformance.subjects import array

COMPARED = (
    "ps-masked_lm-untied",
    "ps-one_way",
    "ps-classifier-mean",
    "ps-classifier-max",
    "ps-tracks",
    "ps-vector",
    "ps-vector-last",
    "ps-vector-centre",
    "ph-conjoined-eval",
    "average-vector",
)
POOLING = ("ps-classifier-mean", "ps-classifier-max", "ps-vector", "ps-vector-last", "ps-vector-centre")


def model_values() -> Iterator[bool]:
    for name in COMPARED:
        m = model(name)
        yield holds(values.check_model_values, m, inputs.random_ids(1, m.space_in, 2, LENGTH))


def model_values_under_masks() -> Iterator[bool]:
    mask = inputs.random_mask(7, 2, LENGTH)
    mask[1, [0, -1]] = False
    for name in COMPARED:
        m = model(name)
        yield holds(values.check_model_values, m, inputs.random_ids(2, m.space_in, 2, LENGTH), mask)


def model_gradients() -> Iterator[bool]:
    for name in ("ps-masked_lm-untied", "ps-tracks"):
        m = model(name)
        ids = inputs.random_ids(3, m.space_in, 2, 7)
        yield holds(values.check_model_gradients, m, ids, None, seed=0, together=True)


def both_ways() -> Iterator[bool]:
    """A BiMamba on one strand: a ps model with one direction would still see both sides, by its other strand."""
    for mixer in (BOTH, BOTH.model_copy(update={"tie": "none"})):
        yield holds(directions.check_reads_everything, model("ph-masked_lm", mixers=(mixer,)), length=5)


def one_way() -> Iterator[bool]:
    for reverse in (False, True):
        mixer = FORWARD.model_copy(update={"direction": "reverse" if reverse else "forward"})
        yield holds(directions.check_one_way, model("none-tracks", mixers=(mixer,)), length=6, reverse=reverse)


def padding() -> Iterator[bool]:
    for name in ("ps-masked_lm", "ps-tracks", *POOLING):
        m = model(name)
        ids, content = inputs.random_ids(4, m.space_in, 2, 3), inputs.random_ids(5, m.space_in, 2, 5)
        yield holds(masks.check_padding, m, ids, 3, 2, content)


def masked_content() -> Iterator[bool]:
    """Masked positions and their mixers' inputs, NaN included."""
    mask = inputs.random_mask(6, 2, LENGTH)
    for name in ("ps-masked_lm", "ps-classifier-max"):
        m = model(name)
        ids, other = (inputs.random_ids(seed, m.space_in, 2, LENGTH) for seed in (6, 7))
        yield holds(masks.check_masked_ids, m, ids, mask, other)
        x = inputs.random_strand(6, 2, LENGTH, m.spec.channels)
        yield holds(masks.check_mixer_content, m, x, mask)
        yield holds(masks.check_mixer_padding, m, x, 2, 3, content=float("nan"))
        yield holds(masks.check_mixer_gradients_where_masked, m, x, mask, seed=0)


def masked_outputs() -> Iterator[bool]:
    mask = inputs.random_mask(8, 2, LENGTH)
    for name in ("ps-tracks", "ph-masked_lm"):
        m = model(name)
        yield holds(masks.check_masked_outputs, m, inputs.random_ids(8, m.space_in, 2, LENGTH), mask)


def empty_rows() -> Iterator[bool]:
    for name in POOLING:
        m = model(name)
        yield holds(masks.check_empty_rows, m, inputs.random_ids(9, m.space_in, 2, 5))


def pad_by_name() -> Iterator[bool]:
    ids = inputs.with_pads(0, 3, 9)
    yield bool((ids == N).any())
    yield holds(masks.check_pad_mask, model("ps-masked_lm"), ids)


class Unaware(Scale):
    """A mixer that says that it ignores masks."""

    uses_mask = False


def unused_masks() -> Iterator[bool]:
    """Such a mixer is given a mask that masks nothing, and no other."""
    spec = small_lm(mixer=Unaware())
    m, ids = caduceus.build(spec, backend="torch"), inputs.random_bases(0, 1, 4)
    yield m(ids, np.ones((1, 4), dtype=bool)).shape == (1, 4, 16)
    yield refused("mixers.0, mixers.1 ignores masks", m, ids, np.array([[True, True, True, False]]))


def initial_values() -> Iterator[bool]:
    recorded = json.loads((golden_cases.FOLDER / "init_stats.json").read_text(encoding="utf-8"))["ps_d256_n4"]
    fresh = caduceus.official_state(caduceus.build(caduceus.zoo.spec("caduceus-ps-1k-d256")))
    for key, official in recorded.items():
        if not key.endswith("complement_map"):
            yield holds(weights.check_initial, array(fresh[key]), official)


CHECKS: dict[str, Check] = {
    "model values": model_values,
    "model values under masks": model_values_under_masks,
    "model gradients": model_gradients,
    "both ways": both_ways,
    "one way": one_way,
    "padding": padding,
    "masked content": masked_content,
    "masked outputs": masked_outputs,
    "empty rows": empty_rows,
    "padding by name": pad_by_name,
    "unused masks": unused_masks,
    "initial values": initial_values,
}
