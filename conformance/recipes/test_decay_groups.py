"""Which weights decay, against the authors' grouping, and for parts of third parties."""

from __future__ import annotations

import json

import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.checkpoint.keys import entries
from caduceus.conformance.golden_cases import FOLDER
from caduceus.spec import Spec
from caduceus.train.optimiser import configure, decay_groups
from caduceus.train.settings import Training

CASES = json.loads((FOLDER / "weight_decay_groups.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", CASES)
def test_the_same_groups_as_the_authors(name: str) -> None:
    spec = parts.Model(
        equivariance=name[:2],
        embedding=parts.Embedding(d_model=16),
        mixers=[parts.BiMamba(mamba=parts.Mamba(bias="proj_bias" in name))],
        norm=parts.Norm(kind="layer" if "layernorm" in name else "rms"),
        head=parts.MaskedLM(),
    )
    official = {entry.weight: entry.key for entry in reversed(entries(spec, fused="nonfused" not in name))}
    groups = decay_groups(caduceus.build(spec, backend="torch"))
    assert {official[weight] for weight in groups[True]} == set(CASES[name]["decay"])
    assert {official[weight] for weight in groups[False]} == set(CASES[name]["no_decay"])


class Foreign(Spec):
    """A mixer whose parameters the spec does not know."""

    def module(self, backend: object) -> torch.nn.Module:
        module = torch.nn.Module()
        module.matrix = torch.nn.Parameter(torch.ones(8, 8))
        module.scale = torch.nn.Parameter(torch.ones(8))
        module.out_bias = torch.nn.Parameter(torch.ones(8, 8))
        module.kept = torch.nn.Parameter(torch.ones(8, 8))
        module.kept._no_weight_decay = True  # type: ignore[attr-defined]
        return module


def test_a_third_partys_parameters_decay_by_rule() -> None:
    spec = parts.Model(embedding=parts.Embedding(d_model=8), mixers=[Foreign()], head=parts.MaskedLM(tie="none"))
    groups = decay_groups(caduceus.build(spec, backend="torch"))
    assert set(groups[True]) == {"mixers.0.matrix", "norms.0.weight", "norm_f.weight", "head.weight"}
    assert set(groups[False]) == {"mixers.0.scale", "mixers.0.out_bias", "mixers.0.kept", "embedding.weight"}


def test_every_parameter_is_in_one_group_of_the_optimiser() -> None:
    spec = parts.Model(embedding=parts.Embedding(d_model=8), mixers=[parts.BiMamba()], head=parts.MaskedLM())
    model = caduceus.build(spec, backend="torch")
    optimiser, _ = configure(model, Training())
    decaying, others = optimiser.param_groups
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    assert optimiser.defaults["betas"] == (0.9, 0.95)
    held = [id(p) for group in optimiser.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters())
