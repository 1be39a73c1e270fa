"""The swap in the weights against the swap in the forward pass, in NumPy, beyond the golden depths and variants."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from caduceus import parts, reference
from caduceus.checkpoint.config import Config
from caduceus.checkpoint.config_json import config_of
from caduceus.checkpoint.official import file_form, from_official, is_fused, to_official
from caduceus.conformance.checkpoints.folders import identical, small
from caduceus.weights import owned

Pair = list[np.ndarray]


def _r(x: np.ndarray) -> np.ndarray:
    return x[:, ::-1, ::-1]


def fused_features(spec: parts.Model, weights: dict[str, np.ndarray], ids: np.ndarray) -> np.ndarray:
    """The authors' fused ps model on two streams, each in its own order: before every block they change places.

    Source: docs/published_models.md 2.7, `residual <- [v ; u]; hidden <- [f(norm(v)) ; R f(norm(R u))]`.
    """
    full = reference.resolve(spec.weights(), weights)

    def run(path: str, x: np.ndarray) -> np.ndarray:
        part = dict(spec.named_parts())[path]
        mine = {name[len(path) + 1 :]: value for name, value in full.items() if name.startswith(f"{path}.")}
        return reference.part_function(part, path)(mine, np.ascontiguousarray(x))

    complement = np.asarray(spec.embedding.alphabet.complement)
    table = full["embedding.weight"]
    hidden: Pair = [table[ids], table[complement[ids][:, ::-1]]]
    residual: Pair = [np.zeros_like(h) for h in hidden]
    for i in range(len(spec.mixers)):
        hidden, residual = [_r(hidden[1]), _r(hidden[0])], [_r(residual[1]), _r(residual[0])]
        residual = [h + r for h, r in zip(hidden, residual, strict=True)]
        hidden = [run(f"mixers.{i}", run(f"norms.{i}", r)) for r in residual]
    return np.stack([run("norm_f", h + r) for h, r in zip(hidden, residual, strict=True)], axis=1)


_cells = st.builds(parts.Mamba, d_state=st.just(2), d_conv=st.integers(1, 3), bias=st.booleans(), expand=st.just(1))
_mixers = _cells | st.builds(
    parts.BiMamba,
    mamba=_cells,
    fusion=st.sampled_from(["add", "multiply"]),
    tie=st.sampled_from(["projections", "none"]),
)


@st.composite
def _files(draw: st.DrawFn) -> tuple[parts.Model, dict[str, np.ndarray]]:
    """A fused ps model as a file holds it, with random weights."""
    head = draw(st.sampled_from([None, parts.MaskedLM(), parts.SequenceClassifier(num_labels=3)]))
    norm = parts.Norm(kind=draw(st.sampled_from(["rms", "layer"])))
    spec = small(layers=draw(st.integers(1, 5)), mixer=draw(_mixers), head=head, norm=norm)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return spec, {name: rng.normal(0.3, 0.5, w.shape) for name, w in owned(spec.weights()).items()}


@given(_files())
def test_swap_in_the_weights_is_the_swap_in_the_blocks(file: tuple[parts.Model, dict[str, np.ndarray]]) -> None:
    spec, weights = file
    config = Config.model_validate(config_of(spec, True, "float64"))
    maps = np.asarray(spec.embedding.alphabet.complement)
    loaded_spec, loaded = from_official(config, to_official(spec, weights, True, maps))
    model = reference.build(loaded_spec, loaded)
    ids = np.random.default_rng(0).integers(0, 16, (2, 5))
    assert np.abs(model.features(ids) - fused_features(spec, weights, ids)).max() < 1e-10
    if spec.head is not None:
        of_file, found = (w.get("head.weight", w["embedding.weight"]) for w in (weights, loaded))
        assert np.array_equal(found, of_file)


@given(_files())
def test_swap_is_undone_and_done_again(file: tuple[parts.Model, dict[str, np.ndarray]]) -> None:
    spec, weights = file
    config = Config.model_validate(config_of(spec, True, "float64"))
    tensors = to_official(spec, weights, True, np.asarray(spec.embedding.alphabet.complement))
    loaded_spec, loaded = from_official(config, tensors)
    assert is_fused(loaded_spec, loaded, preferred=True)
    again_spec, again = file_form(loaded_spec, loaded, True)
    assert again_spec == spec.model_copy(update={"n_as": loaded_spec.n_as})
    assert identical(to_official(again_spec, again, True), to_official(spec, weights, True))


def test_golden_fault_would_show() -> None:
    """The swap is no symmetry: a model that ignores it gives other features."""
    spec = small(layers=2)
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(0.3, 0.5, w.shape) for name, w in owned(spec.weights()).items()}
    ids = rng.integers(0, 16, (2, 5))
    ignored = reference.build(spec, weights).features(ids)
    assert np.abs(ignored - fused_features(spec, weights, ids)).max() > 0.1
