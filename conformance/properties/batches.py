"""A sequence gives the same alone and among others."""

from __future__ import annotations

from typing import Any

import numpy as np

from caduceus.conformance.properties.bounds import EXACT, MASKS, distance, largest, law
from caduceus.conformance.subjects import Array, answer


@law("batches: a row alone is the row in its batch", MASKS)
def check_rows(model: Any, ids: Array, mask: Array | None = None) -> float:
    """Every row of a batch against a batch of that row only; 0 where a backend keeps rows apart to the bit."""
    whole = answer(model, ids, mask)
    rows = [slice(i, i + 1) for i in range(len(ids))]
    return max(distance(whole[r], answer(model, ids[r], None if mask is None else mask[r])) for r in rows)


@law("batches: other rows have no influence", EXACT)
def check_other_rows(model: Any, ids: Array, others: Array) -> float:
    """The first row's answer with different rows after it, in batches of one size."""
    changed = np.concatenate([ids[:1], others[1 : len(ids)]])
    return largest(answer(model, ids)[:1] - answer(model, changed)[:1])


@law("models: the same answer twice", EXACT)
def check_repeats(model: Any, ids: Array) -> float:
    """In eval mode a model is a function: asked again, it gives the same bits."""
    return largest(answer(model, ids) - answer(model, ids))
