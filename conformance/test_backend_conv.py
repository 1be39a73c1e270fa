"""The causal convolution and the norm of every backend: values, gradients, and the laws in `properties`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caduceus.conformance import inputs, strategies
from caduceus.conformance.properties import calculus, conv, layout, norms
from caduceus.conformance.subjects import Arguments, Subject

Hold = Callable[..., None]


@given(strategies.convolutions())
def test_values(subject: Subject, hold: Hold, arguments: Arguments) -> None:
    hold(conv.check_conv_values, subject, arguments)


@pytest.mark.parametrize("taps", [1, 2, 3, 4, 5])
def test_values_with_every_number_of_taps(subject: Subject, hold: Hold, taps: int) -> None:
    for length in (1, 2, 3, 7, 16):
        for reverse in (False, True):
            arguments = inputs.conv_arguments(length, length=length, taps=taps, reverse=reverse, masked=True)
            hold(conv.check_conv_values, subject, arguments)


@given(strategies.convolutions(), strategies.seeds)
def test_gradients(candidate: Subject, hold: Hold, arguments: Arguments, seed: int) -> None:
    hold(conv.check_conv_gradients, candidate, arguments, seed)


@given(strategies.convolutions(), st.data())
def test_split_with_carried_state(subject: Subject, hold: Hold, arguments: Arguments, data: st.DataObject) -> None:
    hold(conv.check_conv_split, subject, arguments, data.draw(st.integers(1, max(1, arguments["x"].shape[1] - 1))))


@given(strategies.convolutions())
def test_reverse(subject: Subject, hold: Hold, arguments: Arguments) -> None:
    hold(conv.check_conv_reverse, subject, arguments)


@given(strategies.convolutions(masked=True))
def test_masked_content(subject: Subject, hold: Hold, arguments: Arguments) -> None:
    hold(conv.check_conv_masked_content, subject, arguments)


@given(strategies.convolutions(masked=True), strategies.seeds)
def test_gradients_where_masked(candidate: Subject, hold: Hold, arguments: Arguments, seed: int) -> None:
    hold(conv.check_conv_masked_gradients, candidate, arguments, seed)


@given(strategies.convolutions(batch=3))
def test_rows(subject: Subject, hold: Hold, arguments: Arguments) -> None:
    hold(conv.check_conv_rows, subject, arguments)


@given(strategies.norm_arguments())
def test_norm_values(subject: Subject, hold: Hold, arguments: Arguments) -> None:
    hold(norms.check_norm_values, subject, arguments)


@given(strategies.norm_arguments(), strategies.seeds)
def test_norm_gradients(candidate: Subject, hold: Hold, arguments: Arguments, seed: int) -> None:
    hold(norms.check_norm_gradients, candidate, arguments, seed)


@given(strategies.norm_arguments())
def test_norm_of_a_position_alone(subject: Subject, hold: Hold, arguments: Arguments) -> None:
    hold(norms.check_norm_positions, subject, arguments)


def test_values_in_half_precision(half: Subject, hold: Hold) -> None:
    hold(conv.check_conv_values, half, inputs.conv_arguments(0, length=33))
    for kind in ("rms", "layer"):
        hold(norms.check_norm_values, half, inputs.norm_arguments(0, kind=kind, residual=False))


@given(strategies.convolutions(), strategies.norm_arguments())
def test_layout_in_memory(candidate: Subject, hold: Hold, first: Arguments, second: Arguments) -> None:
    hold(layout.check_layout, candidate, conv.CONV, first)
    hold(layout.check_layout, candidate, norms.NORM, second)


@given(strategies.convolutions(), strategies.norm_arguments())
def test_arguments_are_not_written_to(subject: Subject, hold: Hold, first: Arguments, second: Arguments) -> None:
    hold(norms.check_inputs_kept, subject, conv.CONV, first)
    hold(norms.check_inputs_kept, subject, norms.NORM, second)


@pytest.mark.parametrize("kernel", [conv.CONV, norms.NORM])
def test_second_derivatives(precise: Subject, hold: Hold, kernel: str) -> None:
    if not getattr(precise.backend, "twice_differentiable", False):
        pytest.skip(f"not applicable: backend {precise.backend.name} does not declare twice_differentiable")
    arguments = inputs.conv_arguments(0, batch=1, length=4) if kernel == conv.CONV else inputs.norm_arguments(0)
    hold(calculus.check_second_derivatives, precise, kernel, arguments)
