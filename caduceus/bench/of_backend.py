"""Backends of this library, and third parties', on the model itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from caduceus.backends.cuda.counts import Path
from caduceus.backends.registry import get_backend
from caduceus.bench.contestant import Ready
from caduceus.bench.inputs import hidden_states, scan_arguments, token_ids
from caduceus.bench.traffic import moved
from caduceus.bench.work import MIXED, Work
from caduceus.construct import build
from caduceus.interfaces import Backend
from caduceus.losses import masked_lm


@dataclass(frozen=True)
class OfBackend:
    """The model as `caduceus.build` makes it on ``backend``, which is as `build` takes it; ``path`` is what its mixers
    launch, where that is counted."""

    name: str
    about: str
    backend: str | Backend
    path: Path | None = None

    def lacks(self, work: Work) -> str | None:
        dtypes = get_backend(self.backend).dtypes
        if work.precision == MIXED and "bfloat16" not in dtypes:
            return f"it computes in {', '.join(dtypes)}, and precision is {MIXED}"
        return None

    def computes(self, work: Work) -> bool:
        return True

    def moves(self, work: Work) -> int | None:
        return None if self.path is None else moved(self.path, work)

    def ready(self, work: Work, device: str) -> Ready:
        if work.part == "scan":
            return self._scan(work, device)
        model = build(work.spec, backend=self.backend, device=device).train(work.mode == "train")
        if work.part == "layer":
            mixer, x = model.mixers[0], hidden_states(work, device).requires_grad_()
            return Ready(lambda: mixer(x), [x, *mixer.parameters()], torch.ones_like(x))
        ids, leaves = token_ids(work, device), list(model.parameters())
        if work.mode == "train":
            return Ready(lambda: masked_lm(model(ids), ids)[0], leaves)
        return Ready(lambda: model(ids), leaves)

    def _scan(self, work: Work, device: str) -> Ready:
        kernels: Any = get_backend(self.backend, device=device)
        arguments = {name: x.requires_grad_() for name, x in scan_arguments(work, device).items()}
        return Ready(
            lambda: kernels.selective_scan(**arguments, dt_softplus=True)[0],
            list(arguments.values()),
            torch.ones_like(arguments["u"]),
        )
