"""A value depends on nothing but its own row and channel: not on lane, column, group, batch or thread, to the last bit.

So strands may be folded into the batch.
"""

from __future__ import annotations

import pytest
import torch

from caduceus.backends.cpu import CpuBackend
from caduceus.conformance.cpu.examples import (
    Arguments,
    assert_same,
    call,
    conv_arguments,
    norm_arguments,
    random_mask,
    results,
    scan_arguments,
)
from caduceus.conformance.cpu.mamba import Size, mamba_arguments

BATCHED = ("u", "dt", "z", "B", "C", "state", "mask", "x", "h")
SCAN_CHANNELS = {"u": 2, "dt": 2, "z": 2, "A": 0, "D": 0, "dt_bias": 0, "state": 1}
CONV_CHANNELS = {"x": 2, "weight": 0, "bias": 0, "state": 1}


def kernels(batch: int, length: int, channels: int) -> dict[str, Arguments]:
    mask = {"mask": random_mask(batch, length), "reverse": True}
    return {
        "selective_scan": scan_arguments(batch, length, channels, 16) | mask,
        "causal_conv": conv_arguments(batch, length, channels, 4) | mask,
    }


@pytest.mark.parametrize("channels", [7, 40, 300])
def test_rows_of_a_batch(backend: CpuBackend, threads: int, channels: int) -> None:
    for kernel, arguments in kernels(5, 70, channels).items():
        whole = getattr(backend, kernel)(**arguments)
        for row in range(5):
            alone = {n: x[row : row + 1] if n in BATCHED else x for n, x in arguments.items()}
            for found, expected in zip(getattr(backend, kernel)(**alone), whole, strict=True):
                assert torch.equal(found[0], expected[row])


@pytest.mark.parametrize("size", [Size(20, 100), Size(3, 500, walks=(True,)), Size(2, 97, 118, 236, 16)], ids=str)
def test_rows_of_a_mamba(backend: CpuBackend, dtype: torch.dtype, threads: int, size: Size) -> None:
    """Alone, in a batch of another size and in another place, in other chunks and blocks of sequences; for gradients
    or not."""
    arguments = mamba_arguments(size, dtype) | {"mask": random_mask(*size[:2])}
    (whole,) = call(backend, "mamba", arguments)
    assert torch.equal(results(backend, "mamba", arguments)["first"], whole)
    for rows in ([0], [size.batch - 1], [size.batch - 1, 0, 1], [1] * 40):
        some = {n: x[rows] if n in BATCHED else x for n, x in arguments.items()}
        assert torch.equal(call(backend, "mamba", some)[0], whole[rows])


@pytest.mark.parametrize("first", [0, 1, 3, 8, 13])
def test_channels(backend: CpuBackend, first: int) -> None:
    """Channels computed alone, so on other lanes and in another tail, are those computed among 40."""
    arguments = kernels(1, 70, 40)
    for kernel, where in (("selective_scan", SCAN_CHANNELS), ("causal_conv", CONV_CHANNELS)):
        whole = getattr(backend, kernel)(**arguments[kernel])
        some = dict(arguments[kernel])
        for name, axis in where.items():
            some[name] = some[name].narrow(axis, first, 11)
        y, last = getattr(backend, kernel)(**some)
        assert torch.equal(y, whole[0][..., first : first + 11])
        assert torch.equal(last, whole[1][:, first : first + 11])


def test_rows_of_a_norm(backend: CpuBackend, threads: int) -> None:
    for kind in ("rms", "layer"):
        arguments = norm_arguments(700, 118) | {"kind": kind}
        whole, _ = backend.add_norm(**arguments)
        some = arguments | {n: arguments[n][:, 300:301] for n in ("x", "residual")}
        assert torch.equal(backend.add_norm(**some)[0], whole[:, 300:301])


@pytest.mark.parametrize("step", [1e6, 1e17])
def test_a_saturated_channel_leaves_its_neighbours_alone(backend: CpuBackend, step: float) -> None:
    arguments = scan_arguments(1, 40, 16, 16) | {"dt_softplus": False, "dt_bias": None}
    arguments["dt"] = arguments["dt"].abs()
    wild = dict(arguments, dt=arguments["dt"].clone())
    wild["dt"][..., 3] = step
    plain, found = results(backend, "selective_scan", arguments), results(backend, "selective_scan", wild)
    others = [c for c in range(16) if c != 3]
    for name in ("first", "du", "ddt", "dz"):
        assert torch.equal(found[name][..., others], plain[name][..., others])
        assert bool(found[name].isfinite().all())


def test_threads(backend: CpuBackend) -> None:
    """The forward does not depend on their number; the backward is the same each time for one number."""
    before = torch.get_num_threads()
    calls = [*kernels(1, 300, 130).items()]
    calls += [("mamba", mamba_arguments(size)) for size in (Size(3, 800, 8, 20, 8), Size(20, 100, 8, 20, 8))]
    found = []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            values = {}
            for i, (kernel, arguments) in enumerate(calls):
                first, second = (results(backend, kernel, arguments) for _ in range(2))
                assert_same(first, second)
                values |= {f"{i} {name}": first[name] for name in ("first", "second") if name in first}
            found.append(values)
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert_same(other, found[0])
