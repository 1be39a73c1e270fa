"""The paper's runs by size, against what the authors' code does, and the recipe that holds them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

import caduceus
from caduceus.checkpoint.keys import entries
from caduceus.conformance.golden_cases import FOLDER
from caduceus.recipes.find import find
from caduceus.recipes.load import load
from caduceus.train.batches import plan_batches
from caduceus.train.optimiser import configure, decay_groups, learning_rate

SIZES = ["1k-d118", "1k-d128", "1k-d256", "32k", "131k"]


def golden(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("size", SIZES)
def test_a_size_sets_model_length_batch_and_steps_together(size: str) -> None:
    recipe: Any = load(find("hg38_pretrain"), [f"size={size}"])
    length = {"32k": 32_768, "131k": 131_072}.get(size, 1024)
    steps = 50_000 if size == "131k" else 10_000
    assert (recipe.model, recipe.data.length, recipe.max_steps) == (f"caduceus-ps-{size}", length, steps)
    assert recipe.batch.tokens == 1 << 20
    assert recipe.spec.n_as == "pad"
    assert not recipe.reverses
    assert recipe.protocol == "sound"
    assert recipe.data.mask == 0.15
    assert recipe.optimiser.clip == 1.0
    sequences = {1024: 1024, 32_768: 32, 131_072: 8}[length]
    assert {plan_batches(recipe.batch, length, world).sequences for world in (1, 2, 8)} == {sequences}


@pytest.mark.parametrize("equivariance", ["ps", "ph"])
@pytest.mark.parametrize("size", SIZES)
def test_each_size_trains_with_the_authors_optimiser(size: str, equivariance: str) -> None:
    """The learning rate at every recorded step; in each layer the recorded weights decay, and no others."""
    recipe: Any = load(find("hg38_pretrain"), [f"size={size}", f"equivariance={equivariance}"])
    told = golden("lr_schedule")["pretrain_131k_50000" if size == "131k" else "pretrain_1k_10000"]
    for step, expected in told["lr_at_step"]:
        assert learning_rate(step, recipe) == pytest.approx(expected, rel=1e-12, abs=0), step

    model = caduceus.build(recipe.spec, backend="torch")
    official = {entry.weight: entry.key for entry in reversed(entries(recipe.spec, fused=True))}
    recorded = golden("weight_decay_groups")["ps_rms_fused" if equivariance == "ps" else "ph_rms"]
    groups = decay_groups(model)
    for decays, name in ((True, "decay"), (False, "no_decay")):
        assert {re.sub(r"layers\.\d+\.", "layers.0.", official[weight]) for weight in groups[decays]} == set(
            recorded[name]
        )
    layers = len(recipe.spec.mixers)
    assert len(groups[True]) == layers * (len(recorded["decay"]) - 1) + 1
    decaying, others = configure(model, recipe)[0].param_groups
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    assert (decaying["betas"], decaying["eps"]) == ((0.9, 0.95), 1e-8)


def test_a_field_that_is_given_wins_over_the_size() -> None:
    recipe: Any = load(find("hg38_pretrain"), ["size=131k", "max_steps=5", "data.length=2048", "equivariance=ph"])
    assert (recipe.max_steps, recipe.data.length, recipe.model) == (5, 2048, "caduceus-ph-131k")
    assert recipe.reverses


def test_the_official_protocol_is_asked_for_by_name() -> None:
    sound, official = (load(find("hg38_pretrain"), [f"protocol={name}"]) for name in ("sound", "official"))
    before, after = (yaml.safe_load(recipe.to_yaml()) for recipe in (sound, official))
    assert {name for name in before if before[name] != after[name]} == {"protocol"}
    assert sound.digest != official.digest


def test_fields_that_change_nothing_in_what_comes_out_tell_no_runs_apart() -> None:
    options = ["workers=3", "max_time=02:00:00", "checkpoint_activations=true", "loggers=[wandb]", "checkpoints.keep=9"]
    assert load(find("hg38_pretrain"), options).digest == load(find("hg38_pretrain")).digest
    for option in ("seed=1", "compile=true", "precision=16-mixed", "data.rc=true", "threads=3"):
        assert load(find("hg38_pretrain"), [option]).digest != load(find("hg38_pretrain")).digest


def test_a_time_needs_no_quotes() -> None:
    """To YAML 1.1 this is a number to the base 60."""
    recipe: Any = load(find("hg38_pretrain"), ["max_time=10:00:00"])
    assert recipe.time_limit == 36_000


def test_every_field_of_the_shipped_recipe_is_in_its_file() -> None:
    """A reader finds each field there, set or as a comment."""
    text = find("hg38_pretrain").read_text()
    recipe = load(find("hg38_pretrain"))

    def leaves(value: dict[str, Any]) -> list[str]:
        return [
            name for key, inner in value.items() for name in [key, *(leaves(inner) if isinstance(inner, dict) else [])]
        ]

    unset = {"name", "valid", "test"}  # shares of a contig, for a genome without intervals
    assert {name for name in leaves(yaml.safe_load(recipe.to_yaml())) if f"{name}:" not in text} <= unset
