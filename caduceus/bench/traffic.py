"""Bytes that the launches of a contestant read and write, by `caduceus.backends.cuda.counts`."""

from __future__ import annotations

from typing import Any

from caduceus.backends.cuda import CudaBackend
from caduceus.backends.cuda.counts import Layer, Path, total
from caduceus.bench.work import Work
from caduceus.parts import BiMamba


def counted(mixer: Any) -> Layer | None:
    """The sizes of a layer of the kind that is counted, its channels filled in; None for any other."""
    if not (isinstance(mixer, BiMamba) and mixer.tie == "projections" and mixer.fusion == "add"):
        return None
    cell = mixer.cell
    if cell.bias or cell.d_conv > CudaBackend.most_taps or cell.d_state > CudaBackend.most_states:
        return None
    return Layer(cell.channels, cell.d_inner, cell.d_state, cell.rank)


def moved(path: Path, work: Work) -> int | None:
    """By the mixers of ``work``, each on ``path``; norms, embedding, head and loss are not counted. None where a mixer
    is not, and for a scan alone."""
    layers = [counted(mixer) for mixer in work.mixers]
    if work.part == "scan" or None in layers:
        return None
    elements = sum(total(path(layer), work.mode == "train").moved for layer in layers if layer is not None)
    return work.tokens * work.strands * elements * work.dtype.itemsize
