"""Checks of the kernels: the selective scan, the causal convolution, the norm."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from caduceus.conformance import inputs
from caduceus.conformance.mutants.check import LENGTH, TORCH, Check, holds
from caduceus.conformance.properties import calculus, chunks, conv, norms, scan
from caduceus.conformance.subjects import Arguments

BOTH_WAYS = (False, True)


def _scans(**fixed: Any) -> Iterator[Arguments]:
    for reverse in BOTH_WAYS:
        yield inputs.scan_arguments(1, length=LENGTH, reverse=reverse, **fixed)


def _convolutions(**fixed: Any) -> Iterator[Arguments]:
    for reverse in BOTH_WAYS:
        yield inputs.conv_arguments(2, length=LENGTH, reverse=reverse, **fixed)


def scan_values() -> Iterator[bool]:
    for masked, plain in product(BOTH_WAYS, BOTH_WAYS):
        for arguments in _scans(masked=masked, softplus=not plain, extras=not plain):
            yield holds(scan.check_scan_values, TORCH, arguments)


def scan_gradients() -> Iterator[bool]:
    for masked in BOTH_WAYS:
        for arguments in _scans(masked=masked):
            yield holds(scan.check_scan_gradients, TORCH, arguments, seed=0)


def second_derivatives() -> Iterator[bool]:
    arguments = inputs.scan_arguments(0, batch=1, length=4, channels=2, states=2, masked=True)
    yield holds(calculus.check_second_derivatives, TORCH, scan.SCAN, arguments)


def scan_splits() -> Iterator[bool]:
    for arguments in _scans(masked=True):
        yield holds(scan.check_scan_split, TORCH, arguments, cut=5)


def scan_chunks() -> Iterator[bool]:
    for reverse in BOTH_WAYS:
        arguments = inputs.scan_arguments(3, length=21, reverse=reverse)
        yield holds(chunks.check_chunk_size, TORCH, arguments, size=1)
        yield holds(chunks.check_chunk_size_in_gradients, TORCH, arguments, size=1, seed=0)


def scan_directions() -> Iterator[bool]:
    for arguments in _scans():
        yield holds(scan.check_scan_reverse, TORCH, arguments)


def scan_masks() -> Iterator[bool]:
    valid = inputs.random_mask(4, 1, LENGTH)[0]
    for arguments in _scans():
        yield holds(scan.check_scan_masked_steps, TORCH, arguments, valid)
        yield holds(scan.check_scan_masked_state, TORCH, arguments)
    for arguments in _scans(masked=True):
        yield holds(scan.check_scan_masked_gradients, TORCH, arguments, seed=0)


def softplus() -> Iterator[bool]:
    yield holds(scan.check_softplus_above, TORCH)
    yield holds(scan.check_softplus_below, TORCH)


def conv_values() -> Iterator[bool]:
    for masked, plain in product(BOTH_WAYS, BOTH_WAYS):
        for arguments in _convolutions(masked=masked, activation=None if plain else "silu", extras=not plain):
            yield holds(conv.check_conv_values, TORCH, arguments)


def conv_splits() -> Iterator[bool]:
    for arguments in _convolutions():
        yield holds(conv.check_conv_split, TORCH, arguments, cut=5)


def conv_masks() -> Iterator[bool]:
    for arguments in _convolutions(masked=True):
        yield holds(conv.check_conv_masked_content, TORCH, arguments)
        yield holds(conv.check_conv_masked_gradients, TORCH, arguments, seed=0)


def norm_values() -> Iterator[bool]:
    for kind, residual in product(("rms", "layer"), BOTH_WAYS):
        arguments = inputs.norm_arguments(5, kind=kind, residual=residual)
        yield holds(norms.check_norm_values, TORCH, arguments)


def norm_positions() -> Iterator[bool]:
    for kind in ("rms", "layer"):
        yield holds(norms.check_norm_positions, TORCH, inputs.norm_arguments(6, kind=kind))


CHECKS: dict[str, Check] = {
    "scan values": scan_values,
    "scan gradients": scan_gradients,
    "scan second derivatives": second_derivatives,
    "scan splits": scan_splits,
    "scan chunks": scan_chunks,
    "scan directions": scan_directions,
    "scan masks": scan_masks,
    "softplus": softplus,
    "convolution values": conv_values,
    "convolution splits": conv_splits,
    "convolution masks": conv_masks,
    "norm values": norm_values,
    "norm positions": norm_positions,
}
