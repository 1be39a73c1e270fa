"""What the reference's models are: equivariant, two plain models in one, averages; and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caduceus import parts, reference
from caduceus.conformance.reference.examples import HEADS, MIXERS, example, ids_and_mask, model_spec, random_weights
from caduceus.reference import NoReference, directional_derivative, part_function, resolve
from caduceus.reference.arrays import Array
from caduceus.reference.strands import rc_output
from caduceus.symmetry import Strands, Tokens, Track, Vector, permutation, signed, trivial

lengths = st.integers(1, 17)
seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("mixers", MIXERS)
@given(length=lengths, seed=seeds, masked=st.booleans())
def test_ps_is_equivariant_to_the_last_bit(mixers: str, head: str, length: int, seed: int, masked: bool) -> None:
    model = example(mixers, head)
    ids, mask = ids_and_mask(length, seed)
    mask = mask if masked else None
    rc, rc_mask = (model.space_in.act(ids), None) if mask is None else model.space_in.act(ids, mask)
    np.testing.assert_array_equal(model(rc, rc_mask), model.space_out.act(model(ids, mask)))
    np.testing.assert_array_equal(model.features(rc, rc_mask), model.features(ids, mask)[:, ::-1])


def test_equivariance_of_wider_and_longer_models() -> None:
    spec = parts.Model(
        embedding=parts.Embedding(d_model=118), mixers=[parts.BiMamba(), parts.CrossStrand()], head=parts.MaskedLM()
    )
    model = reference.build(spec, random_weights(spec))
    for length in (1, 7, 64, 257):
        ids, _ = ids_and_mask(length, length, batch=1)
        np.testing.assert_array_equal(model(model.space_in.act(ids)), model.space_out.act(model(ids)))


@pytest.mark.parametrize("mixers", [name for name in MIXERS if name != "across"])
def test_ps_is_the_plain_model_on_both_strands(mixers: str) -> None:
    ps, plain = example(mixers), example(mixers, equivariance="ph")
    ids, _ = ids_and_mask(11, 0)
    rc = Tokens().act(ids)
    np.testing.assert_allclose(ps.features(ids)[:, 0], plain.features(ids), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(ps.features(ids)[:, 1], plain.features(rc), rtol=1e-12, atol=1e-12)
    total = plain(ids) + plain.space_out.act(plain(rc))
    np.testing.assert_allclose(ps(ids), total, rtol=1e-12, atol=1e-12)
    average = reference.build(parts.Symmetrize(model=plain.spec), {f"model.{n}": w for n, w in plain.weights().items()})
    np.testing.assert_allclose(average(ids), total / 2, rtol=1e-12, atol=1e-12)
    ids, mask = ids_and_mask(11, 1)
    np.testing.assert_allclose(average.features(ids, mask), ps.features(ids, mask), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("head", ["tracks", "vector", "biased classifier"])
def test_typed_heads_average_f_over_the_strands(head: str) -> None:
    model = example(head=head)
    spec, weights = model.spec.bound_head, model.weights()
    ids, mask = ids_and_mask(9, 3)
    features = model.features(ids, mask)
    f = part_function(spec)
    own = {n.removeprefix("head."): w for n, w in weights.items() if n.startswith("head.")}
    first, second = f(own, features[:, 0], mask), f(own, features[:, 1], mask[:, ::-1])
    expected = (first + model.space_out.act(second)) / 2
    if isinstance(model.space_out, Track):
        expected = np.where(mask[..., None], expected, 0.0)
    np.testing.assert_allclose(model(ids, mask), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("space", [Track(trivial(1) + permutation([1, 0]) + signed(2)), Vector(signed(1)), Strands(3)])
def test_rc_of_outputs_agrees_with_symmetry(space: Track | Vector | Strands) -> None:
    y = space.sample(np.random.default_rng(0), 2, 5)
    np.testing.assert_array_equal(rc_output(space, y), space.act(y))


def test_tied_weights_are_one_weight() -> None:
    spec = parts.BiMamba(d_model=4, tie="projections")
    owned = {n: np.zeros(w.shape) for n, w in spec.weights().items() if w.tied_to is None}
    full = resolve(spec.weights(), owned)
    assert set(full) == set(spec.weights())
    assert full["rev.out_proj.weight"] is full["fwd.out_proj.weight"]


def test_both_directions_of_a_tied_bimamba_add_both_biases() -> None:
    spec = parts.BiMamba(d_model=4, mamba=parts.Mamba(bias=True))
    weights = {n: np.zeros(w.shape) for n, w in spec.weights().items()}
    bias = np.arange(1.0, 5.0)
    weights["fwd.out_proj.bias"] = weights["rev.out_proj.bias"] = bias
    x = np.ones((1, 3, 4))
    np.testing.assert_array_equal(part_function(spec)(weights, x), np.broadcast_to(2 * bias, x.shape))
    multiply = spec.model_copy(update={"fusion": "multiply"})
    np.testing.assert_array_equal(part_function(multiply)(weights, x), np.broadcast_to(bias * bias, x.shape))


def test_conjoining() -> None:
    head = parts.SequenceClassifier(num_labels=2, pooling="first", bias=True, conjoin="eval")
    spec = model_spec(equivariance="ph").model_copy(update={"head": head})
    weights = random_weights(spec)
    model = reference.build(spec, weights)
    ids, mask = ids_and_mask(8, 1)
    rc, rc_mask = Tokens().act(ids, mask)
    assert model.training
    one, other = model(ids, mask), model(rc, rc_mask)
    assert model.eval() is model
    np.testing.assert_array_equal(model(ids, mask), (one + other) / 2)
    np.testing.assert_array_equal(model(np.stack([ids, rc], -1), mask), (one + other) / 2)
    with_pad = model(np.stack([ids, rc], -1), "pad")
    model.train()
    np.testing.assert_array_equal(with_pad, (model(ids, "pad") + model(rc, "pad")) / 2)
    with pytest.raises(ValueError, match=r"input_ids have shape \(2, 8, 2\), expected \(B, L\)"):
        model(np.stack([ids, rc], -1))


def test_symmetrize_passes_its_mode_on_and_leaves_a_ps_model_as_it_is() -> None:
    ps = example()
    average = reference.build(parts.Symmetrize(model=ps.spec), {f"model.{n}": w for n, w in ps.weights().items()})
    ids, mask = ids_and_mask(9, 0)
    np.testing.assert_array_equal(average(ids, mask), ps(ids, mask))
    np.testing.assert_array_equal(average.features(ids, mask), ps.features(ids, mask))
    assert set(average.weights()) == {f"model.{n}" for n in ps.weights()}
    assert average.eval() is average
    assert not average._model.training


def test_derivative_of_a_whole_model() -> None:
    spec = model_spec("across", "tracks")
    weights = random_weights(spec)
    ids, mask = ids_and_mask(6, 2)
    rng = np.random.default_rng(0)
    v = {n: rng.standard_normal(w.shape) for n, w in weights.items()}

    def f(values: dict[str, Array]) -> Array:
        return reference.build(spec, values)(ids, mask)

    h = 1e-6
    ahead, behind = (f({n: weights[n] + step * v[n] for n in weights}) for step in (h, -h))
    np.testing.assert_allclose(directional_derivative(f, weights, v), (ahead - behind) / (2 * h), rtol=1e-5, atol=1e-6)


def test_weights_are_checked() -> None:
    spec = model_spec()
    weights = random_weights(spec)
    without = {n: w for n, w in weights.items() if n != "norm_f.weight"}
    with pytest.raises(ValueError, match=r"missing \['norm_f.weight'\], unknown \['norms_f'\]"):
        reference.build(spec, without | {"norms_f": np.ones(6)})
    with pytest.raises(ValueError, match=r"norm_f.weight has shape \(7,\), expected \(6,\)"):
        reference.build(spec, weights | {"norm_f.weight": np.ones(7)})
    inside = {f"model.{n}": w for n, w in weights.items()}
    with pytest.raises(ValueError, match=r"unknown \['norm_f.weight'\]"):
        reference.build(parts.Symmetrize(model=spec), inside | {"norm_f.weight": np.ones(6)})
    with pytest.raises(NoReference, match=r"norm has no reference, expected parts\.Model"):
        reference.build(parts.Norm(d_model=3), {})


def test_input_is_checked() -> None:
    model = example()
    with pytest.raises(TypeError, match="input_ids have dtype float64, expected integers"):
        model(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="input_ids go from 7 to 16, expected ids from 0 to 15"):
        model([[7, 16]])
    with pytest.raises(ValueError, match="mask is 'valid'"):
        model([[7, 8]], "valid")
    with pytest.raises(ValueError, match=r"mask has shape \(1, 3\), expected \(1, 2\)"):
        model([[7, 8]], np.ones((1, 3), bool))


def test_the_model_keeps_its_own_copy_of_the_weights() -> None:
    spec = model_spec()
    weights = random_weights(spec)
    model = reference.build(spec, weights)
    before = model([[7, 8, 9]])
    for array in (weights["embedding.weight"], model.weights()["embedding.weight"]):
        array[:] = 0.0
    np.testing.assert_array_equal(model([[7, 8, 9]]), before)
