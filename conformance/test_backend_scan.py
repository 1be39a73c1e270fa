"""The selective scan of every backend: values, gradients, and the laws in `properties.scan`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caduceus.conformance import inputs, strategies
from caduceus.conformance.properties import calculus, layout, norms, scan
from caduceus.conformance.subjects import Arguments, Subject

Hold = Callable[..., None]
PRIMES_AND_EDGES = (1, 2, 3, 5, 7, 8, 9, 13, 16, 17, 31, 33)


@given(strategies.scans())
def test_values(subject: Subject, hold: Hold, arguments: Arguments) -> None:
    hold(scan.check_scan_values, subject, arguments)


@pytest.mark.parametrize("length", PRIMES_AND_EDGES)
def test_values_at_every_kind_of_length(subject: Subject, hold: Hold, length: int) -> None:
    for reverse in (False, True):
        hold(scan.check_scan_values, subject, inputs.scan_arguments(length, length=length, reverse=reverse))


@given(strategies.scans())
def test_layout_in_memory(candidate: Subject, hold: Hold, arguments: Arguments) -> None:
    hold(layout.check_layout, candidate, scan.SCAN, arguments)


def test_values_in_half_precision(half: Subject, hold: Hold) -> None:
    hold(scan.check_scan_values, half, inputs.scan_arguments(0, length=33))


def test_softplus_has_its_switch(subject: Subject, hold: Hold) -> None:
    hold(scan.check_softplus_above, subject)
    hold(scan.check_softplus_below, subject)


@given(strategies.scans(), strategies.seeds)
def test_gradients(candidate: Subject, hold: Hold, arguments: Arguments, seed: int) -> None:
    hold(scan.check_scan_gradients, candidate, arguments, seed)


@given(strategies.scans(), st.data())
def test_split_with_carried_state(subject: Subject, hold: Hold, arguments: Arguments, data: st.DataObject) -> None:
    hold(scan.check_scan_split, subject, arguments, data.draw(st.integers(1, max(1, arguments["u"].shape[1] - 1))))


@given(strategies.scans())
def test_reverse(subject: Subject, hold: Hold, arguments: Arguments) -> None:
    hold(scan.check_scan_reverse, subject, arguments)


@given(strategies.scans(batch=2, length=7, channels=3, states=2, masked=False, extras=True), strategies.seeds)
def test_linear(subject: Subject, hold: Hold, arguments: Arguments, seed: int) -> None:
    other = inputs.scan_arguments(seed, length=7, states=2)
    hold(scan.check_scan_linear, subject, arguments, other)


@given(strategies.scans(extras=True))
def test_zero_and_masked_steps_hold_the_state(subject: Subject, hold: Hold, arguments: Arguments) -> None:
    hold(scan.check_scan_zero_step, subject, arguments)
    hold(scan.check_scan_masked_state, subject, arguments)


@given(strategies.scans(batch=2, masked=False), strategies.seeds)
def test_masked_steps_are_not_there(subject: Subject, hold: Hold, arguments: Arguments, seed: int) -> None:
    valid = inputs.random_mask(seed, 1, arguments["u"].shape[1])[0]
    hold(scan.check_scan_masked_steps, subject, arguments, valid)


@given(strategies.scans(masked=True), strategies.seeds)
def test_gradients_where_masked(candidate: Subject, hold: Hold, arguments: Arguments, seed: int) -> None:
    hold(scan.check_scan_masked_gradients, candidate, arguments, seed)


@given(strategies.scans(batch=3))
def test_rows(subject: Subject, hold: Hold, arguments: Arguments) -> None:
    hold(scan.check_scan_rows, subject, arguments)


@given(strategies.scans())
def test_arguments_are_not_written_to(subject: Subject, hold: Hold, arguments: Arguments) -> None:
    hold(norms.check_inputs_kept, subject, scan.SCAN, arguments)


@pytest.mark.parametrize("reverse", [False, True])
def test_second_derivatives(precise: Subject, hold: Hold, reverse: bool) -> None:
    if not getattr(precise.backend, "twice_differentiable", False):
        pytest.skip(f"not applicable: backend {precise.backend.name} does not declare twice_differentiable")
    sizes = {"batch": 1, "length": 4, "channels": 2, "states": 2}
    arguments = inputs.scan_arguments(0, **sizes, reverse=reverse, masked=True)
    hold(calculus.check_second_derivatives, precise, scan.SCAN, arguments)


def test_steps_of_extreme_length(subject: Subject, hold: Hold) -> None:
    """exp(delta A) that underflows, or is 1 to the last bit."""
    arguments = inputs.scan_arguments(1, softplus=False)
    for scale in (1e-12, 30.0, 1e3):
        hold(scan.check_scan_values, subject, arguments | {"dt": scale * np.abs(arguments["dt"]), "dt_bias": None})


def test_gradients_repeat(candidate: Subject) -> None:
    """To the last bit, unless the backend says that they do not."""
    if not getattr(candidate.backend, "deterministic", True):
        pytest.skip(f"not applicable: backend {candidate.backend.name} declares deterministic = False")
    arguments = inputs.scan_arguments(2, length=70, channels=20)
    first, second = (calculus.kernel_gradients(candidate, scan.SCAN, arguments, seed=0) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)
