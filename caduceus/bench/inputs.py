"""What the work is done on: random, the same for every contestant, in the layouts of `caduceus.interfaces`."""

from __future__ import annotations

import torch
from torch import Tensor

from caduceus.alphabet import BASES
from caduceus.bench.work import Work, cell_of

_SEED = 0


def token_ids(work: Work, device: str) -> Tensor:
    """(B, L) bases."""
    generator = torch.Generator().manual_seed(_SEED)
    return torch.randint(BASES[0], BASES[-1] + 1, (work.batch, work.length), generator=generator).to(device)


def hidden_states(work: Work, device: str) -> Tensor:
    """(B, L, C), as a norm leaves them, in the dtype of activations."""
    generator = torch.Generator().manual_seed(_SEED)
    return torch.randn(work.batch, work.length, work.spec.channels, generator=generator).to(device, work.dtype)


def scan_arguments(work: Work, device: str) -> dict[str, Tensor]:
    """Arguments of `selective_scan`: steps and rates in the range of initial weights, which are float32.

    Raises:
        ValueError: the model's first mixer holds no Mamba.
    """
    cell = cell_of(work.mixers[0])
    if cell is None:
        raise ValueError(
            f"the first mixer is a {work.mixers[0].kind_name}, expected mamba or bimamba to take a scan of"
        )
    generator = torch.Generator().manual_seed(_SEED)
    wide, narrow = (work.batch, work.length, cell.d_inner), (work.batch, work.length, cell.d_state)
    shapes = {"u": wide, "dt": wide, "B": narrow, "C": narrow, "z": wide, "D": wide[2:]}
    found = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    rates = torch.arange(1.0, cell.d_state + 1)
    found["A"] = -rates.expand(cell.d_inner, cell.d_state).contiguous()
    found["dt_bias"] = torch.empty(cell.d_inner).uniform_(-7.0, -2.0, generator=generator)
    dtypes = dict.fromkeys(("u", "dt", "B", "C", "z"), work.dtype)
    return {name: x.to(device, dtypes.get(name)) for name, x in found.items()}
