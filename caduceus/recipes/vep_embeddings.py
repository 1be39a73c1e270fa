"""Embeddings of alleles from a frozen model: what its windows hold near the variant, on each strand."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from caduceus.alphabet import PAD, N
from caduceus.data import Allele, Genome
from caduceus.predict.models import both_strands, inner_spec
from caduceus.predict.passes import Row, near_features
from caduceus.predict.windows import Place, Window, WindowReader
from caduceus.recipes.vep_eqtl import VepEqtl
from caduceus.recipes.vep_protocol import n_as, near, official_index

MODEL, UNTRAINED = "embeddings.npy", "embeddings_untrained.npy"
_POSITIONS_AT_ONCE, _MOST_AT_ONCE = 1 << 21, 512
# Reference and alternate; forward and reverse strand.
_ALLELES, _STRANDS = 2, 2
_FLOAT = np.dtype("<f4")


def per_chunk(length: int) -> int:
    """Alleles that are embedded before they go to the disk: less than a minute of a GPU's work is lost by a kill."""
    return max(1, min(_MOST_AT_ONCE, _POSITIONS_AT_ONCE // length))


class _Key(NamedTuple):
    """What makes a pass: a window, and where it is averaged."""

    place: Place
    centre: int | None


class AlleleFeatures:
    """Features of alleles, (n, 2, 2, C) float32: reference and alternate, each on the forward and the reverse strand.

    Each strand is averaged in its own order, so that the reverse complement of an allele exchanges the two, of a ps
    model to the last bit. An allele whose window holds too much N is NaN throughout.
    """

    def __init__(self, model: Any, genome: Genome, recipe: VepEqtl) -> None:
        self.recipe, self.official = recipe, recipe.protocol == "official"
        self.model, spec = both_strands(model), inner_spec(model)
        self.equivariance, self.width = spec.equivariance, spec.embedding.d_model
        self._read = WindowReader(genome, recipe.flank, n_as(recipe.protocol, spec.n_as))

    def __call__(self, alleles: Sequence[Allele]) -> np.ndarray:
        keys = [self._keys(allele) for allele in alleles]
        wanted = dict.fromkeys(key for pair in keys for key in pair or ())
        found = dict(near_features(self.model, self._rows(wanted), self.recipe.tokens, half=self.official))
        shape = (len(alleles), _ALLELES, _STRANDS, self.width)
        features = np.full(shape, np.nan, dtype=_FLOAT)
        for i, pair in enumerate(keys):
            if pair is not None:
                features[i] = [found[key] for key in pair]
                self._refuse_not_finite(features[i], alleles[i])
        return features

    def _keys(self, allele: Allele) -> tuple[_Key, _Key] | None:
        """The passes of the reference and of the alternate; None where too much of the window is unknown."""
        places = [Place(allele.contig, allele.start, allele.end, bases) for bases in (allele.ref, allele.alt)]
        ref, alt = (self._window(place) for place in places)
        if np.isin(ref.ids, (N, PAD)).mean() >= self.recipe.most_unknown:
            return None
        index = official_index(ref.ids, alt.ids) if self.official else None
        return _Key(places[0], index), _Key(places[1], index)

    def _rows(self, keys: dict[_Key, None]) -> Iterator[tuple[_Key, Row]]:
        for key in keys:
            window = self._window(key.place)
            yield key, Row(window, (), self._near(key, len(window.ids)))

    def _near(self, key: _Key, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions to average on each strand; the allele lies in the middle of both, unless the protocol errs."""
        if key.centre is not None:
            return near(key.centre, length, self.recipe.radius, self.equivariance)
        margin = max(0, self.recipe.flank - self.recipe.radius)
        around = np.arange(margin, length - margin)
        return around, around

    def _window(self, place: Place) -> Window:
        window = self._read(place)
        if not self.official:
            return window
        return Window(window.ids[: self.recipe.length], window.valid[: self.recipe.length])

    def _refuse_not_finite(self, features: np.ndarray, allele: Allele) -> None:
        if not self.official and not np.isfinite(features).all():
            place = f"{allele.contig}:{allele.start + 1}"
            raise FloatingPointError(f"the model's features near {place} are not finite; look at its weights")


def header(rows: int, width: int) -> bytes:
    """The beginning of an .npy file of so many alleles: what follows is `AlleleFeatures`, appended as it comes."""
    text = io.BytesIO()
    shape = (rows, _ALLELES, _STRANDS, width)
    np.lib.format.write_array_header_1_0(text, {"descr": _FLOAT.str, "fortran_order": False, "shape": shape})
    return text.getvalue()
