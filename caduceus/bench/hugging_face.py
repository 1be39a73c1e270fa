"""transformers' Mamba where no kernel is installed for it: what a user without this library has on a CPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from caduceus.bench.contestant import Ready
from caduceus.bench.inputs import hidden_states, scan_arguments, token_ids
from caduceus.bench.work import Work, cell_of
from caduceus.extras import require
from caduceus.parts import BiMamba

MODELING = "transformers.models.mamba.modeling_mamba"


@dataclass(frozen=True)
class Transformers:
    """Its own classes with the sizes of the model, one pass each way and strand; it knows no reverse direction."""

    name: str = "transformers"
    about: str = (
        "transformers' MambaModel without kernels (its slow path), of the same sizes, run once each way and strand; "
        "forward only, since its backward is quadratic in length"
    )

    def lacks(self, work: Work) -> str | None:
        if work.mode == "train":
            return "forward only: the backward of its slow path is quadratic in length"
        cells = {cell_of(mixer) for mixer in work.mixers}
        if len(cells) > 1 or None in cells:
            return "its model is made of equal Mamba layers, this one is not"
        if any(not float(cell.expand).is_integer() for cell in cells if cell is not None):
            return "its expand is a whole number"
        return None

    def computes(self, work: Work) -> bool:
        """The scan; its models have weights of their own."""
        return work.part == "scan"

    def moves(self, work: Work) -> int | None:
        return None

    def ready(self, work: Work, device: str) -> Ready:
        modeling = require(MODELING, "bench")
        modeling.logging.set_verbosity_error()  # that no kernel is there is what is timed
        if work.part == "scan":
            return _scan(modeling.mamba_selective_scan, work, device)
        config = modeling.MambaConfig(**_sizes(work))
        if work.part == "layer":
            module, x = modeling.MambaMixer(config, layer_idx=0), hidden_states(work, device)
        else:
            module, x = modeling.MambaModel(config), token_ids(work, device)
        module.to(device).eval()
        passes = work.strands * (2 if isinstance(work.mixers[0], BiMamba) else 1)

        def run() -> Tensor:
            outputs = [module(x.flip(1) if i % 2 else x) for i in range(passes)]
            return torch.stack([y if isinstance(y, Tensor) else y.last_hidden_state for y in outputs])

        return Ready(run)


def _scan(scan: Any, work: Work, device: str) -> Ready:
    """Channels before positions, as it takes them."""
    given = scan_arguments(work, device)
    u, dt, B, C, z = (given[name].transpose(1, 2).contiguous() for name in ("u", "dt", "B", "C", "z"))
    options = {"z": z, "delta_bias": given["dt_bias"], "delta_softplus": True}
    return Ready(lambda: scan(u, dt, given["A"], B, C, given["D"], **options).transpose(1, 2))


def _sizes(work: Work) -> dict[str, Any]:
    cell = cell_of(work.mixers[0])
    assert cell is not None
    return {
        "vocab_size": work.spec.embedding.vocab_size,
        "hidden_size": cell.channels,
        "state_size": cell.d_state,
        "num_hidden_layers": len(work.mixers),
        "expand": int(cell.expand),
        "conv_kernel": cell.d_conv,
        "time_step_rank": cell.rank,
        "use_bias": cell.bias,
        "use_conv_bias": cell.conv_bias,
        "use_cache": False,
    }
