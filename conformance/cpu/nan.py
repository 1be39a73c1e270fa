"""What a NaN in the scan may change, and what not: the bits of all that is computed without it stay."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from caduceus.backends.cpu import CpuBackend
from caduceus.conformance.cpu.examples import Arguments, results, scan_arguments

BITS = {"quiet": 0x7FC00000, "negative": 0x7FC00000 - (1 << 31), "payload": 0x7FC00001}
"""Of a float32 that is NaN, as int32."""


def _steps(length: int, dtype: torch.dtype) -> Arguments:
    """Steps as they are given."""
    return scan_arguments(1, length, 5, 4, dtype) | {"dt_softplus": False, "dt_bias": None}


def survives_late_nan(backend: CpuBackend, dtype: torch.dtype, reverse: bool) -> Iterator[bool]:
    """Steps before a NaN, one so long that the state decays to 0; and gradients, where they sum over no later one."""
    clean = _steps(6, dtype) | {"reverse": reverse, "A": -torch.arange(1.0, 5.0, dtype=dtype).expand(5, 4)}
    steps = [1.0, 200.0, 1.0, 1.0, 1.0, 1.0]
    clean["dt"] = torch.tensor(steps[::-1] if reverse else steps, dtype=dtype)[None, :, None].repeat(1, 1, 5)
    nan, before = (2, slice(3, 6)) if reverse else (3, slice(0, 3))
    dirty = clean | {"dt": clean["dt"].clone()}
    dirty["dt"][0, nan] = float("nan")
    found, expected = (results(backend, "selective_scan", arguments) for arguments in (dirty, clean))
    for name in ("first", "dz", "dC"):
        yield torch.equal(found[name][:, before], expected[name][:, before])
        yield bool(found[name][:, nan].isnan().all())


def survives_nan_rate(backend: CpuBackend, bits: int) -> Iterator[bool]:
    """The state whose rate is NaN, between two of which one decays to 0, is lost; the others are not."""
    clean = _steps(40, torch.float32) | {"dt": torch.full((1, 40, 5), 50.0)}
    clean["A"] = torch.tensor([-4.0, -4.0, -1.0, -1.0]).repeat(5, 1)
    dirty = clean | {"A": clean["A"].clone()}
    dirty["A"].view(torch.int32)[:, 1] = bits
    last, expected = (backend.selective_scan(**arguments)[1] for arguments in (dirty, clean))
    yield bool(last[..., 1].isnan().all())
    yield torch.equal(last[..., [0, 2, 3]], expected[..., [0, 2, 3]])
