"""What a model holds inside, by name.

embedding     the lifted tokens
mixer.i       what mixer i adds to the residual stream, i from 0
residual.i    the residual stream after mixer i
final         after the final norm: what `features` gives
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from caduceus.nn.modes import evaluating
from caduceus.nn.token_model import TokenModel
from caduceus.predict.models import both_strands, inner_spec

_NAME = re.compile(r"(mixer|residual)\.(\d+)")


class Layers:
    """Named layers of a model, on both strands.

    Args:
        model: of any head, or none; a plain model reads the sequence and its reverse complement.
        names: see the module.

    Raises:
        ValueError: the model has no layer of that name.
    """

    def __init__(self, model: Any, names: Sequence[str]) -> None:
        self.depth = len(inner_spec(model).mixers)
        self.names = tuple(names)
        for name in self.names:
            self._check(name)
        self.model: TokenModel = both_strands(model)
        self._inner: Any = getattr(self.model, "model", self.model)

    def __call__(self, ids: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """ids (B, L), mask (B, L) bool -> each layer (B, 2, L, C), each strand in its own order."""
        features: Any = self.model.features
        with evaluating(self.model), self._kept() as found:
            final = features(ids, mask)
        strands = {name: torch.stack(pair, 1) for name, pair in found.items()}
        return {name: final if name == "final" else strands[name] for name in self.names}

    def _check(self, name: str) -> None:
        numbered = _NAME.fullmatch(name)
        if name in ("embedding", "final") or (numbered and int(numbered[2]) < self.depth):
            return
        last = self.depth - 1
        some = f", mixer.0 to mixer.{last} and residual.0 to residual.{last}" if self.depth else ""
        raise ValueError(f"the model has no layer {name!r}; it has embedding, final{some}")

    @contextmanager
    def _kept(self) -> Iterator[dict[str, list[Tensor]]]:
        """What passes the layers while the block runs: a tensor a strand."""
        found: dict[str, list[Tensor]] = {name: [] for name in self.names if name != "final"}
        handles = [self._module(name).register_forward_hook(_keeping(found[name], name)) for name in found]
        try:
            yield found
        finally:
            for handle in handles:
                handle.remove()

    def _module(self, name: str) -> nn.Module:
        """The module that gives a layer: a residual stream is the second output of the norm that reads it next."""
        norms = [*self._inner.norms, self._inner.norm_f]
        if name == "embedding":
            return norms[0]
        kind, _, number = name.partition(".")
        return self._inner.mixers[int(number)] if kind == "mixer" else norms[int(number) + 1]


def _keeping(kept: list[Tensor], name: str) -> Any:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        if not name.startswith("mixer"):
            kept.append(output[1])
        elif isinstance(output, Tensor):
            kept.append(output)
        else:
            kept.extend(output)

    return hook
