"""A global batch of tokens, cut for the devices at hand."""

from __future__ import annotations

from dataclasses import dataclass

from caduceus.train.settings import Batch

_TOKENS_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class BatchPlan:
    """How a step is made.

    Attributes:
        length: tokens of a sequence. sequences: of a step, over all devices.
        world: devices. per_device: sequences of a micro-batch. accumulate: micro-batches of a device in a step.
    """

    length: int
    sequences: int
    world: int
    per_device: int
    accumulate: int

    @property
    def tokens(self) -> int:
        """Tokens of a step."""
        return self.sequences * self.length


def plan_batches(batch: Batch, length: int, world: int) -> BatchPlan:
    """Cut a step into micro-batches.

    Raises:
        ValueError: the batch is no whole number of sequences, or does not divide over the devices.

    >>> plan_batches(Batch(tokens=1 << 20), length=1024, world=8)
    BatchPlan(length=1024, sequences=1024, world=8, per_device=16, accumulate=8)
    """
    sequences, rest = divmod(batch.tokens, length)
    if rest:
        raise ValueError(f"batch.tokens is {batch.tokens}, expected a multiple of data.length, {length}")
    share, rest = divmod(sequences, world)
    if rest:
        raise ValueError(
            f"{sequences} sequences a step do not divide over {world} devices; change batch.tokens or devices"
        )
    per_device = batch.per_device or rows_at_once(share, length)
    accumulate, rest = divmod(share, per_device)
    if rest:
        raise ValueError(
            f"batch.per_device is {per_device}, expected a divisor of {share}, a device's sequences in a step"
        )
    return BatchPlan(length, sequences, world, per_device, accumulate)


def rows_at_once(rows: int, length: int) -> int:
    """The largest divisor of ``rows`` sequences that a device takes at once."""
    limit = max(1, _TOKENS_AT_ONCE // length)
    return next(d for d in range(min(rows, limit), 0, -1) if rows % d == 0)
