"""The learning rate at a step, a pure function of the step."""

from __future__ import annotations

from math import cos, pi


def warmup_cosine(
    step: int, lr: float, *, warmup: float, cosine: float, start: float, end: float, prefix: bool = True
) -> float:
    """Linear from ``start`` to ``lr`` over ``warmup`` steps, then half a cosine down to ``end``, then ``end``.

    Step 0 is the first update; ``warmup`` and ``cosine`` need not be whole numbers. The same numbers as timm's
    CosineLRScheduler with one cycle, which the authors use (docs/published_models.md 9).

    Args:
        cosine: steps of the half cosine.
        prefix: the cosine begins after the warm-up; otherwise at step 0, under it, as the authors' fine-tuning has it.

    >>> [round(warmup_cosine(t, 1.0, warmup=2, cosine=4, start=0.0, end=0.0), 4) for t in range(8)]
    [0.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 0.0, 0.0]
    """
    if step < warmup:
        return start + step * ((lr - start) / warmup)
    done = step - warmup if prefix else step
    if done >= cosine:
        return end
    return end + 0.5 * (lr - end) * (1 + cos(pi * done / cosine))
