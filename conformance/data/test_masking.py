"""Masks: what may be selected, how often, what takes its place; official ones with the authors' draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from caduceus.alphabet import MASK, PAD, SEP, N
from caduceus.data import is_base, mask_ids, mask_ids_by_torch

IDS = st.lists(st.integers(0, 11), max_size=80).map(np.array).map(lambda ids: ids.astype(np.uint8))
WORDS = st.integers(0, 2**64 - 1)
PROTOCOLS = st.sampled_from(["sound", "official"])


def test_official_masks_are_those_of_the_authors(golden: Callable[[str], Any]) -> None:
    for case in golden("rc_and_mlm")["mlm_getitem"]:
        ids = np.array(case["seq"])
        if case["contains_eos"]:
            assert ids[-1] == SEP
            ids = ids[:-1]
        generator = torch.Generator().manual_seed(case["torch_seed"])
        masked = mask_ids_by_torch(ids, generator, rate=case["mlm_probability"])
        assert masked.input_ids.tolist() == case["data"]
        assert masked.labels.tolist() == case["target"]


@given(IDS, WORDS, WORDS, st.floats(0, 1), PROTOCOLS)
def test_laws_of_every_mask(ids: np.ndarray, seed: int, number: int, rate: float, protocol: Any) -> None:
    seen, labels = mask_ids(ids, seed, number, protocol=protocol, rate=rate)
    assert seen.dtype == labels.dtype == np.int64
    assert seen.shape == labels.shape == ids.shape
    kept = labels == PAD
    assert np.all(labels[~kept] == ids[~kept])
    if protocol == "sound":
        assert np.all(seen[kept] == ids[kept])
        assert np.all(is_base(labels[~kept]))
        assert np.all(is_base(seen[~kept]) | (seen[~kept] == MASK))
    again = mask_ids(ids, seed, number, protocol=protocol, rate=rate)
    assert np.array_equal(again.input_ids, seen)
    assert np.array_equal(again.labels, labels)


@given(WORDS, WORDS)
def test_a_rate_of_one_selects_every_base_and_a_rate_of_zero_none(seed: int, number: int) -> None:
    ids = np.arange(12)
    assert mask_ids(ids, seed, number, rate=1.0).labels.tolist() == [4] * 7 + [7, 8, 9, 10, 4]
    assert mask_ids(ids, seed, number, rate=0.0).labels.tolist() == [4] * 12
    assert mask_ids(ids, seed, number, rate=1.0, protocol="official").labels.tolist() == ids.tolist()


@pytest.mark.parametrize("ids", [[], [N] * 9, [PAD] * 9])
def test_a_sequence_without_bases_has_no_targets(ids: list[int]) -> None:
    seen, labels = mask_ids(np.array(ids, dtype=np.uint8), 0, 0, rate=1.0)
    assert seen.tolist() == ids
    assert labels.tolist() == [4] * len(ids)


def frequencies(protocol: Any) -> tuple[np.ndarray, np.ndarray]:
    """Of 400,000 positions that hold A: whether selected, and what was seen where they were."""
    ids = np.full(4000, 7, dtype=np.uint8)
    masks = [mask_ids(ids, 3, number, protocol=protocol) for number in range(100)]
    selected = np.concatenate([m.labels for m in masks]) == 7
    return selected, np.bincount(np.concatenate([m.input_ids for m in masks])[selected], minlength=12)


def within(count: float, n: int, probability: float) -> bool:
    """Within five standard deviations of a binomial."""
    return abs(count - n * probability) < 5 * (n * probability * (1 - probability)) ** 0.5


@pytest.mark.parametrize("protocol", ["sound", "official"])
def test_frequencies(protocol: str) -> None:
    selected, seen = frequencies(protocol)
    n = int(selected.sum())
    assert within(n, len(selected), 0.15)
    assert within(seen[MASK], n, 0.8 if protocol == "sound" else 0.8 + 0.1 / 12)
    choices = 4 if protocol == "sound" else 12
    assert within(seen[7], n, 0.1 + 0.1 / choices)
    for i in set(range(12)) - {MASK, 7}:
        if protocol == "official" or i in (8, 9, 10):
            assert within(seen[i], n, 0.1 / choices)
        else:
            assert seen[i] == 0


def test_official_frequencies_agree_with_those_measured(golden: Callable[[str], Any]) -> None:
    measured = golden("rc_and_mlm")["mlm_frequencies_200k_A"]
    selected, seen = frequencies("official")
    theirs = np.array(measured["input_id_histogram_of_selected"][:12])
    assert abs(selected.mean() - measured["selected"]) < 0.005
    assert np.all(np.abs(seen / seen.sum() - theirs / theirs.sum()) < 0.008)


def test_masks_of_neighbouring_numbers_and_seeds_are_independent() -> None:
    ids = np.full(20_000, 7, dtype=np.uint8)
    draws = [mask_ids(ids, seed, number).labels == 7 for seed in (0, 1) for number in (0, 1, 2)]
    for i, one in enumerate(draws):
        for other in draws[:i]:
            assert within(float((one & other).sum()), len(ids), 0.15**2)


def test_bits_do_not_depend_on_machine_or_version() -> None:
    """A run must continue anywhere: these values may never change."""
    seen, labels = mask_ids(np.tile([7, 8, 9, 10], 4), seed=2222, number=12345, rate=0.5)
    assert seen.tolist() == [3, 8, 3, 10, 7, 8, 9, 10, 3, 8, 9, 10, 7, 3, 9, 3]
    assert labels.tolist() == [7, 8, 9, 4, 4, 4, 4, 4, 7, 8, 4, 4, 4, 8, 4, 10]


@pytest.mark.parametrize(
    ("options", "message"), [({"rate": 1.5}, "rate is 1.5"), ({"protocol": "x"}, "protocol is 'x'")]
)
def test_bad_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mask_ids(np.array([7]), 0, 0, **options)
    with pytest.raises(ValueError, match="seed is -1"):
        mask_ids(np.array([7]), -1, 0)
