"""What is too much for one call, too large for the kernels, or nothing at all."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from caduceus.backends.cuda import CudaBackend, tensors
from caduceus.backends.torch import TorchBackend
from caduceus.conformance.cpu.examples import (
    assert_close,
    assert_same,
    conv_arguments,
    norm_arguments,
    random_mask,
    results,
    scan_arguments,
)
from caduceus.conformance.cuda.stand_ins import Calls

PORTABLE = TorchBackend()


@pytest.mark.parametrize("largest", [40 * 8, 40 * 8 * 2, 40 * 5 + 1, 41])
def test_more_elements_than_an_index_can_number(
    backend: CudaBackend, calls: Calls, largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, then channels, go to the kernels in pieces, with the results of one call."""
    examples = {
        "selective_scan": scan_arguments(5, 40, 20, 3) | {"state": None, "mask": random_mask(5, 40), "reverse": True},
        "causal_conv": conv_arguments(5, 40, 24, 4) | {"state": None, "mask": random_mask(5, 40)},
        "add_norm": norm_arguments(100, 7),
    }
    whole = {kernel: results(backend, kernel, arguments) for kernel, arguments in examples.items()}
    before = {name: len(found) for name, found in calls.items()}
    monkeypatch.setattr(tensors, "LARGEST", largest)
    for kernel, arguments in examples.items():
        found = results(backend, kernel, arguments)
        assert_same(found, {n: whole[kernel][n] for n in ("first", "second")})
        assert_close(found, whole[kernel])
    for name, found_calls in calls.items():
        of_pieces = found_calls[before[name] :]
        assert len(of_pieces) > 2
        # Eight channels stay together, whatever the limit; reading out the state takes 3 steps more.
        assert max(call[0].numel() for call in of_pieces) <= max(largest, 8 * 43)


@pytest.mark.parametrize(
    ("batch", "channels", "length"), [(3, 512, 1 << 21), (1, 512, 1 << 23), (100_000, 236, 1024), (7, 12, 5)]
)
def test_pieces_at_the_true_limit(batch: int, channels: int, length: int) -> None:
    """Every row and channel in one piece and no piece too large: sizes alone, no memory."""
    seen = torch.zeros(batch, channels, dtype=torch.bool)

    def call(rows: slice, some: slice) -> tuple[Tensor]:
        part = seen[rows, some]
        assert part.numel() * length < 2**31
        assert not part.any()
        part.fill_(True)
        return (part,)

    (joined,) = tensors.in_pieces(call, batch, channels, length)
    assert seen.all()
    assert joined.shape == seen.shape


def test_states_beyond_the_limit_are_refused(backend: CudaBackend) -> None:
    y, _ = backend.selective_scan(**scan_arguments(1, 3, 2, 256))
    assert y.isfinite().all()
    with pytest.raises(ValueError, match="A has 257 states a channel, expected at most 256; backend='torch'"):
        backend.selective_scan(**scan_arguments(1, 3, 2, 257))


@pytest.mark.parametrize("empty", ["batch", "length", "channels"])
def test_nothing_to_do(backend: CudaBackend, empty: str, calls: Calls) -> None:
    sizes = {"batch": 2, "length": 5, "channels": 3} | {empty: 0}
    for kernel, arguments in (
        ("selective_scan", scan_arguments(**sizes, states=2)),
        ("causal_conv", conv_arguments(**sizes, taps=4)),
    ):
        assert_same(results(backend, kernel, arguments), results(PORTABLE, kernel, arguments))
    assert not any(calls.values())
