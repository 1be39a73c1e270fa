"""Which process of a run over several devices this is."""

from __future__ import annotations

from lightning.pytorch.utilities import rank_zero_only


def process_rank() -> int:
    """Number of this process; 0 is the one that writes and speaks."""
    return int(getattr(rank_zero_only, "rank", 0))
