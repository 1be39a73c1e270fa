"""The structure of the authors' BiMamba, beside which sharing the projections is timed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from caduceus.backends.cuda import CudaBackend
from caduceus.backends.cuda.counts import Path, authors
from caduceus.bench.of_backend import OfBackend
from caduceus.bench.traffic import counted
from caduceus.bench.work import Work
from caduceus.interfaces import MambaDirection


class AuthorsBackend(CudaBackend):
    """The CUDA backend with two whole Mambas for a pair that shares its projections.

    Each has a product in and a product out of its own; the second reads the input flipped, and what it gives is flipped
    back. Inside a direction every call is the backend's, so that what differs is the structure. (The authors'
    `mamba_inner_fn` is these calls in one autograd function, whose backward computes two of them again to hold less.)
    """

    name = "authors"

    def mamba(
        self,
        h: Tensor,
        in_proj: Tensor,
        in_bias: Tensor | None,
        out_proj: Tensor,
        out_bias: Tensor | None,
        directions: Sequence[MambaDirection],
        mask: Tensor | None = None,
    ) -> Tensor:
        """See `caduceus.interfaces.FusedMamba`."""
        whole = super().mamba
        projections = in_proj, in_bias, out_proj, out_bias

        def walk(direction: MambaDirection) -> Tensor:
            if not direction.reverse:
                return whole(h, *projections, [direction], mask)
            flipped = None if mask is None else mask.flip(1)
            return whole(h.flip(1), *projections, [direction._replace(reverse=False)], flipped).flip(1)

        first, *others = map(walk, directions)
        return sum(others, first)


@dataclass(frozen=True)
class Authors(OfBackend):
    """The model with that structure."""

    name: str = "authors"
    about: str = (
        "the authors' structure on the calls of backend cuda: two in_proj and two out_proj a layer, the input of the "
        "way back flipped and its output too"
    )
    backend: str = f"{__name__}:{AuthorsBackend.__name__}"
    path: Path | None = authors

    def lacks(self, work: Work) -> str | None:
        if work.part == "scan":
            return "its scan is that of backend cuda"
        if not all(map(counted, work.mixers)):
            return "it differs in layers of two directions that share their projections and are added, and in no others"
        return super().lacks(work)
