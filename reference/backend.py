"""The reference's kernels under the interface of a backend, so that the conformance suite can treat it as one more."""

from __future__ import annotations

from caduceus.reference.norm import add_norm
from caduceus.reference.scan import causal_conv, selective_scan


class Backend:
    """`caduceus.interfaces.Backend` on NumPy arrays: float64, or complex128 where an input is complex."""

    name = "reference"
    dtypes: tuple[str, ...] = ("float64",)

    selective_scan = staticmethod(selective_scan)
    causal_conv = staticmethod(causal_conv)
    add_norm = staticmethod(add_norm)
