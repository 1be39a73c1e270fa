"""What a recipe makes of each split of its data."""

from __future__ import annotations

from typing import Any

import numpy as np

from caduceus.alphabet import BASES
from caduceus.recipes.prepare import Splits, read_data
from caduceus.recipes.pretraining import Pretraining


def splits(fields: dict[str, Any], **data: Any) -> Splits:
    recipe = Pretraining.model_validate({**fields, "name": "tiny", "data": {**fields["data"], **data}})
    return read_data(recipe, recipe.files())


def asked(data: Any, samples: int) -> int:
    """Bases that are to be predicted."""
    return int(np.isin(data.rows(range(samples))["labels"], BASES).sum())


def test_training_may_ask_for_more_bases_than_the_tests_do(tiny: dict[str, Any]) -> None:
    usual, more = splits(tiny), splits(tiny, train_mask=0.5)
    times = asked(more.train, 800) / asked(usual.train, 800)
    assert abs(times / (0.5 / 0.15) - 1) < 0.08  # of 20,000 bases: four standard deviations
    for split in ("valid", "test"):
        of, again = getattr(usual, split), getattr(more, split)
        rows, same = (data.rows(range(len(data))) for data in (of, again))
        assert all(np.array_equal(rows[name], same[name]) for name in rows)
