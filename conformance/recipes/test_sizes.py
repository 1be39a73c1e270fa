"""The paper's runs by size, and the recipe that holds them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from caduceus.recipes.find import find
from caduceus.recipes.load import load


@pytest.mark.parametrize("size", ["1k-d118", "1k-d128", "1k-d256", "32k", "131k"])
def test_a_size_sets_model_length_batch_and_steps_together(size: str) -> None:
    recipe: Any = load(find("hg38_pretrain"), [f"size={size}"])
    length = {"32k": 32_768, "131k": 131_072}.get(size, 1024)
    steps = 50_000 if size == "131k" else 10_000
    assert (recipe.model, recipe.data.length, recipe.max_steps) == (f"caduceus-ps-{size}", length, steps)
    assert recipe.batch.tokens == 1 << 20
    assert recipe.spec.n_as == "pad"
    assert not recipe.reverses


def test_a_field_that_is_given_wins_over_the_size() -> None:
    recipe: Any = load(find("hg38_pretrain"), ["size=131k", "max_steps=5", "data.length=2048", "equivariance=ph"])
    assert (recipe.max_steps, recipe.data.length, recipe.model) == (5, 2048, "caduceus-ph-131k")
    assert recipe.reverses


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
