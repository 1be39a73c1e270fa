"""Parts of third parties in the reference: their own formula, or a named refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import pytest

from caduceus import parts, reference
from caduceus.conformance.reference.examples import ids_and_mask, random_weights
from caduceus.reference import NoReference, part_function
from caduceus.reference.arrays import Array
from caduceus.spec import Role, Spec
from caduceus.weights import Constant, Weight, Weights


class Neighbour(Spec):
    """y_i = gain * x_{i-1}; its weight is known only to its module."""

    def reference(self) -> Callable[..., Array]:
        def f(weights: Mapping[str, Array], x: Array, mask: Array | None = None) -> Array:
            assert set(weights) == {"gain"}
            return weights["gain"] * np.concatenate([np.zeros_like(x[:, :1]), x[:, :-1]], axis=1)

        return f


class Declared(Neighbour):
    """The same with its weight declared."""

    def weights(self) -> Weights:
        return {"gain": Weight((self.channels,), Constant(1.0))}


class Maskless(Declared):
    """One that ignores masks."""

    uses_mask: ClassVar[bool] = False


class ModuleOnly(Spec):
    """One without a reference."""


class Difference(Spec):
    """A strand mixer: each strand gets itself minus its partner plus 1, position by position."""

    role: ClassVar[Role] = "strand_mixer"

    def reference(self) -> Callable[..., tuple[Array, Array]]:
        def f(weights: Any, first: Array, second: Array, mask: Array | None = None) -> tuple[Array, Array]:
            assert np.isfinite([first, second]).all()
            return 1 + first - second[:, ::-1], 1 + second - first[:, ::-1]

        return f


def spec_with(*mixers: Spec) -> parts.Model:
    return parts.Model(embedding=parts.Embedding(d_model=4), mixers=mixers, head=parts.MaskedLM())


def test_a_mixer_brings_its_formula() -> None:
    spec = parts.Model(equivariance="none", embedding=parts.Embedding(d_model=4), mixers=[Neighbour()])
    weights: dict[str, Any] = random_weights(spec) | {"mixers.0.gain": np.array([1.0, -2.0, 0.5, 0.0])}
    model = reference.build(spec, weights)
    assert set(model.weights()) == set(weights)
    x = weights["embedding.weight"][[[7, 8, 9]]]
    normed, _ = reference.add_norm(x, weights["norms.0.weight"])
    before = np.concatenate([np.zeros((1, 1, 4)), normed[:, :-1]], axis=1)
    expected, _ = reference.add_norm(before * weights["mixers.0.gain"], weights["norm_f.weight"], residual=x)
    np.testing.assert_allclose(model([[7, 8, 9]]), expected, rtol=1e-14)


@pytest.mark.parametrize("mixers", [(Declared(),), (Maskless(), Difference()), (Difference(), parts.BiMamba())])
def test_models_of_them_are_equivariant(mixers: tuple[Spec, ...]) -> None:
    spec = spec_with(*mixers)
    model = reference.build(spec, random_weights(spec))
    ids, _ = ids_and_mask(7, 0)
    np.testing.assert_array_equal(model(spec.space_in.act(ids)), spec.space_out.act(model(ids)))


def test_declared_weights_are_checked() -> None:
    spec = parts.Symmetrize(model=spec_with(parts.BiMamba(), Declared()))
    weights = random_weights(spec)
    assert reference.build(spec, weights)([[7]]).shape == (1, 1, 16)
    weights["model.mixers.1.grain"] = weights.pop("model.mixers.1.gain")
    with pytest.raises(ValueError, match=r"missing \['model.mixers.1.gain'\], unknown \['model.mixers.1.grain'\]"):
        reference.build(spec, weights)


def test_undeclared_weights_belong_to_their_part() -> None:
    spec = parts.Symmetrize(model=spec_with(Neighbour()))
    weights = random_weights(spec) | {"model.mixers.0.gain": np.ones(4)}
    assert reference.build(spec, weights)([[7]]).shape == (1, 1, 16)
    with pytest.raises(ValueError, match=r"unknown \['model.mixers.1.gain'\]"):
        reference.build(spec, weights | {"model.mixers.1.gain": np.ones(4)})


def test_one_without_a_reference_is_named() -> None:
    spec = spec_with(parts.BiMamba(), ModuleOnly())
    with pytest.raises(NoReference, match=r"mixers\.1 \(.*test_third_party:ModuleOnly\) has no reference"):
        reference.build(spec, random_weights(spec))
    assert issubclass(NoReference, NotImplementedError)


def test_they_read_and_give_zeros_where_masked() -> None:
    _, mask = ids_and_mask(8, 0)
    x = np.where(mask[..., None], 2.0, np.nan) * np.ones(4)
    before = np.concatenate([np.zeros((2, 1), bool), mask[:, :-1]], axis=1)
    y = part_function(Neighbour(d_model=4))({"gain": np.ones(4)}, x, mask)
    np.testing.assert_array_equal(y[..., 0], np.where(mask & before, 2.0, 0.0))
    first, second = part_function(Difference(d_model=4))({}, x, x[:, ::-1], mask)
    np.testing.assert_array_equal(first[..., 0], mask)
    np.testing.assert_array_equal(second[..., 0], mask[:, ::-1])


def test_a_mask_is_refused_where_it_would_be_ignored() -> None:
    spec = spec_with(parts.BiMamba(), Maskless())
    model = reference.build(spec, random_weights(spec))
    ids, mask = ids_and_mask(5, 0)
    mask[0, 0] = False
    with pytest.raises(ValueError, match=r"mixers\.1 \(.*Maskless\) ignores masks"):
        model(ids, mask)
    np.testing.assert_array_equal(model(ids, np.ones_like(mask)), model(ids))
