"""Golden cases of the authors' code under this library's names, and their fused PS stack, written out as they run it.

Independent of `caduceus.checkpoint`: nothing is barred here, the halves are swapped at every layer.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from caduceus import parts
from caduceus.conformance import golden_cases
from caduceus.reference import Model
from caduceus.reference.arrays import Array
from caduceus.reference.strands import R, halves, join

_LAYER = re.compile(r"layers\.(\d+)\.(norm|mixer)(?:\.submodule)?\.(.+)")


def read(name: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """The JSON and the arrays of a case."""
    with np.load(golden_cases.FOLDER / f"{name}.npz") as arrays:
        return json.loads((golden_cases.FOLDER / f"{name}.json").read_text(encoding="utf-8")), dict(arrays)


def our_name(key: str) -> str:
    """This library's name of an official parameter."""
    key = key.removeprefix("caduceus.backbone.")
    if match := _LAYER.fullmatch(key):
        layer, part, rest = match.groups()
        rest = rest.replace("mamba_fwd", "fwd").replace("mamba_rev", "rev").replace("dt_proj.bias", "dt_bias")
        return f"norms.{layer}.{rest}" if part == "norm" else f"mixers.{layer}.{rest}"
    if key.startswith("embeddings."):
        return "embedding.weight"
    if key.startswith("norm_f."):
        return f"norm_f.{key.rsplit('.', 1)[1]}"
    assert key in ("score.weight", "lm_head.weight", "lm_head.lm_head.weight"), key
    return "head.weight"


def spec_of(case: dict[str, Any]) -> parts.Model:
    """The spec with the same sizes; `fused_add_norm` has no place in it."""
    config = case["config"]
    cell = parts.Mamba(**{k: v for k, v in config["ssm_cfg"].items() if k != "use_fast_path"})
    strategy = {"add": "add", "ew_multiply": "multiply"}[config["bidirectional_strategy"]]
    tie = "projections" if config["bidirectional_weight_tie"] else "none"
    mixer = parts.BiMamba(mamba=cell, fusion=strategy, tie=tie) if config["bidirectional"] else cell
    return parts.Model(
        equivariance="ps" if config["rcps"] else "ph",
        embedding=parts.Embedding(
            d_model=config["d_model"], vocab_size=config["vocab_size"], complement_map=config["complement_map"]
        ),
        mixers=[mixer] * config["n_layer"],
        norm=parts.Norm(kind="rms" if config["rms_norm"] else "layer", eps=config["norm_epsilon"]),
        head=_head(case),
    )


def _head(case: dict[str, Any]) -> parts.Head:
    if case["class"] == "CaduceusForMaskedLM":
        return parts.MaskedLM()
    flags, config = case["class_kwargs"], case["config"]
    conjoin = "always" if flags["conjoin_train"] else "eval" if flags["conjoin_eval"] else "none"
    return parts.SequenceClassifier(
        num_labels=config["num_labels"],
        pooling=flags["pooling_strategy"],
        problem_type=config["problem_type"],
        conjoin=conjoin,
    )


def named(case: dict[str, Any], arrays: dict[str, Array], group: str) -> dict[str, Array]:
    """The arrays of "state" or "f64/grad" of every parameter, under our names and in our shapes."""
    bidirectional, found = case["config"]["bidirectional"], {}
    for key in case["parameters"]:
        name = our_name(key) if bidirectional else our_name(key).replace(".fwd.", ".")
        array = arrays[f"{group}/{key}"]
        found[name] = (array[:, 0] if name.endswith("conv1d.weight") else array).astype(np.float64)
    return found


class FusedModel(Model):
    """The authors' PS model with `fused_add_norm`: every block exchanges the halves of its two streams.

        [u ; v]  = hidden + residual
        residual = [v ; u]
        hidden   = [f(norm(v)) ; R f(norm(R u))]

    The final norm does not: [norm_f(u) ; R norm_f(R v)].
    """

    def _hidden(self, ids: Array, mask: Array | None) -> list[Array]:
        hidden = self._lifted(ids, mask)
        residual, entering = np.zeros_like(hidden), []
        for i in range(len(self.spec.mixers)):
            entering.append(hidden)
            u, v = halves(hidden + residual)
            residual = join(v, u)
            hidden = join(self._block(i, v), R(self._block(i, R(u))))
        u, v = halves(hidden + residual)
        return [*entering, join(self._part("norm_f", u), R(self._part("norm_f", R(v))))]

    def _block(self, i: int, x: Array) -> Array:
        return self._part(f"mixers.{i}", self._part(f"norms.{i}", x))

    def _part(self, path: str, x: Array) -> Array:
        y: Array = self._functions[path](self._weights[path], x)
        return y


def model_of(case: dict[str, Any], weights: dict[str, Array]) -> Model:
    """The reference model of a case, in the case's mode."""
    fused = case["config"]["rcps"] and case["config"]["fused_add_norm"]
    return (FusedModel if fused else Model)(spec_of(case), weights).train(case["mode"] == "train")
