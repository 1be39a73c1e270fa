"""A whole model, as the paper writes it (Schiff et al. 2024, section 4), with 2 d_model channels in every stream:

    h = [E[x] ; R(E[rc x])],  r = 0                     plain: h = E[x]
    for each layer:
        r = h + r = [u ; v]
        h = [f(norm(u)) ; R f(norm(R v))]               plain: h = f(norm(r))
    r = h + r = [u ; v]
    features = [norm_f(u) ; R norm_f(R v)]
    y = head(features)

The halves of a ps model never meet before the head, unless a strand mixer lets them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from caduceus import parts
from caduceus.reference.arrays import Array, keep, number
from caduceus.reference.base import BaseModel
from caduceus.reference.embedding import lift
from caduceus.reference.heads import project
from caduceus.reference.parts import part_function, resolve, undeclared
from caduceus.reference.strands import R, flip_mask, halves, join, rc_output
from caduceus.weights import check_values


class Model(BaseModel):
    """`caduceus.parts.Model` on NumPy arrays.

    Args:
        spec: the model.
        weights: a value for every weight that is not tied, under the spec's names; float64, or complex128.

    Raises:
        ValueError: weights are missing, unknown or of a wrong shape.
        NoReference: a part of a third party has no reference.
    """

    def __init__(self, spec: parts.Model, weights: Mapping[str, Any]) -> None:
        super().__init__()
        self.spec = spec
        self._values = {name: number(value).copy() for name, value in weights.items()}
        declared = spec.weights()
        named = dict(spec.named_parts())
        check_values(declared, self._values, foreign=undeclared(spec))
        full = resolve(declared, self._values)
        self._ps = spec.equivariance == "ps"
        self._functions = {path: part_function(part, path) for path, part in named.items()}
        self._weights = {
            path: {name[len(path) + 1 :]: value for name, value in full.items() if name.startswith(f"{path}.")}
            for path in named
        }

    def weights(self) -> dict[str, Array]:
        """Every weight the model owns, under the spec's names."""
        return {name: value.copy() for name, value in self._values.items()}

    def __call__(self, input_ids: Any, mask: Any = None) -> Array:
        """The head's answer to ids (B, L); without a head, the features.

        A plain model whose head conjoins now answers (f(x) + f(rc x)) / 2; it also takes the official pair (B, L, 2).
        """
        if not self._conjoins():
            return self._answer(*self.checked(input_ids, mask))
        (ids, mask), (rc, rc_mask) = self._pair(input_ids, mask)
        return (self._answer(ids, mask) + rc_output(self.space_out, self._answer(rc, rc_mask))) / 2

    def features(self, input_ids: Any, mask: Any = None) -> Array:
        """After the final norm: (B, 2, L, C) for ps, each strand in its own order, else (B, L, C).

        Of a pair (B, L, 2), those of the first.
        """
        ids, mask = self._pair(input_ids, mask)[0] if self._conjoins() else self.checked(input_ids, mask)
        h = self._hidden(ids, mask)[-1]
        if not self._ps:
            return h
        a, b = halves(h)
        return np.stack([a, R(b)], axis=1)

    def hidden_states(self, input_ids: Any, mask: Any = None) -> list[Array]:
        """What enters each layer, before it joins the residual stream, then the features: (B, L, C), or [a ; b]."""
        return self._hidden(*self.checked(input_ids, mask))

    def _conjoins(self) -> bool:
        conjoin = getattr(self.spec.head, "conjoin", "none")
        return conjoin == "always" or (conjoin == "eval" and not self.training)

    def _pair(self, input_ids: Any, mask: Any) -> tuple[tuple[Array, Array | None], tuple[Array, Array | None]]:
        """x and rc x with their masks; rc x as it was given, if the input is a pair."""
        ids = np.asarray(input_ids)
        if ids.ndim == 3 and ids.shape[-1] == 2:
            rc_mask = mask if mask is None or isinstance(mask, str) else flip_mask(np.asarray(mask))
            return self.checked(ids[..., 0], mask), self.checked(ids[..., 1], rc_mask)
        ids, checked = self.checked(ids, mask)
        return (ids, checked), (self.rc(ids), flip_mask(checked))

    def _answer(self, ids: Array, mask: Array | None) -> Array:
        if self.spec.head is None:
            return self.features(ids, mask)
        h = self._hidden(ids, mask)[-1]
        return project(self.spec.bound_head, self._functions["head"], self._weights["head"], h, mask, self._ps)

    def _hidden(self, ids: Array, mask: Array | None) -> list[Array]:
        h = self._lifted(ids, mask)
        r = np.zeros_like(h)
        entering = []
        for i, mixer in enumerate(self.spec.mixers):
            entering.append(h)
            r = h + r
            normed = self._each_strand(f"norms.{i}", r, mask)
            across = mixer.role == "strand_mixer"
            h = (self._both_strands if across else self._each_strand)(f"mixers.{i}", normed, mask)
        return [*entering, self._each_strand("norm_f", h + r, mask)]

    def _lifted(self, ids: Array, mask: Array | None) -> Array:
        rc = self.rc(ids) if self._ps else None
        return lift(self._functions["embedding"], self._weights["embedding"], ids, mask, rc)

    def _each_strand(self, path: str, x: Array, mask: Array | None) -> Array:
        """[f(u) ; R f(R v)] of x = [u ; v], or f(x): f sees one strand in its own order, with its own mask."""
        f, w = self._functions[path], self._weights[path]

        def one(strand: Array, its_mask: Array | None) -> Array:
            return f(w, strand, its_mask) if path.startswith("mixers") else keep(f(w, strand), its_mask)

        if not self._ps:
            return one(x, mask)
        u, v = halves(x)
        return join(one(u, mask), R(one(R(v), flip_mask(mask))))

    def _both_strands(self, path: str, x: Array, mask: Array | None) -> Array:
        """[p ; R q] with (p, q) = f(u, R v), of x = [u ; v]."""
        u, v = halves(x)
        p, q = self._functions[path](self._weights[path], u, R(v), mask)
        return join(p, R(q))
