"""Torch module of `parts.Model`: lift, mix, project.

The strands are a list of tensors (B, L, C), each in its own 5'->3' order: one for a plain model, two for `ps`.
Each goes through the same calls with the same shapes, so that exchanging them exchanges the results to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from caduceus.interfaces import Backend
from caduceus.nn.heads import MaskedLM
from caduceus.nn.inputs import as_ids, as_mask
from caduceus.nn.mamba import zero_masked
from caduceus.nn.modules import module_for
from caduceus.nn.norm import Norm
from caduceus.nn.token_model import TokenModel
from caduceus.parts import Model as ModelSpec
from caduceus.parts import SequenceClassifier
from caduceus.symmetry import flip

Strand = tuple[Tensor, Tensor | None]
Layer = Callable[..., tuple[Tensor, ...]]


class Model(TokenModel):
    """A model of tokens; its parameters carry the names of its spec's weights.

    Attributes:
        checkpoint_activations: keep only what goes into each layer, strand by strand, and compute the rest again in the
            backward: the same values and gradients, to the bit, in less memory and more time.
        compile_layers: in train mode run each layer through torch.compile.
    """

    def __init__(self, spec: ModelSpec, backend: Backend) -> None:
        super().__init__()
        self.spec, self.backend = spec, backend
        self.checkpoint_activations = self.compile_layers = False
        self.space_in, self.space_out = spec.space_in, spec.space_out
        mixers = spec.bound_mixers()
        self.embedding = module_for(spec.embedding, backend, "embedding")
        self.norms = nn.ModuleList(Norm(spec.bound_norm, backend) for _ in mixers)
        self.mixers = nn.ModuleList(module_for(mixer, backend, f"mixers.{i}") for i, mixer in enumerate(mixers))
        self.norm_f = Norm(spec.bound_norm, backend)
        self.head = None if spec.head is None else module_for(spec.bound_head, backend, "head")
        if isinstance(self.head, MaskedLM) and self.head.tied:
            self.head.weight = self._table(self.head.weight.shape)

    def forward(self, input_ids: Any, mask: Any = None) -> Tensor:
        """Outputs in `space_out`.

        Args:
            input_ids: (B, L) ids, an array or a tensor; (B, L, 2), a sequence and its reverse complement, where the
                head conjoins them.
            mask: (B, L) bool, True where valid; None: all are; "pad": where the id is not [PAD].
        """
        strands = self._lift(input_ids, mask, both=self._reads_both())
        features = self._mix(strands)
        if self.head is None:
            return self._stack(features)
        masks = [valid for _, valid in strands]
        outputs = [self.head(x, valid) for x, valid in zip(features, masks, strict=True)]
        if len(outputs) == 1:
            return outputs[0]
        total = outputs[0] + self.space_out.act(outputs[1])
        return total * 0.5 if self.spec.bound_head.join == "mean" else total

    def features(self, input_ids: Any, mask: Any = None) -> Tensor:
        """After the final norm: (B, 2, L, C) for ps, each strand in its own order, else (B, L, C)."""
        return self._stack(self._mix(self._lift(input_ids, mask, both=self.spec.equivariance == "ps")))

    def _table(self, shape: torch.Size) -> nn.Parameter:
        """The embedding's, for a head that is tied to it."""
        table = getattr(self.embedding, "weight", None)
        if not isinstance(table, nn.Parameter) or table.shape != shape:
            raise ValueError(
                f"head.tie is 'embedding', but the embedding ({self.spec.embedding.kind_name}) has no parameter weight "
                f"of shape {tuple(shape)}; give tie: none to the head"
            )
        return table

    def _stack(self, features: list[Tensor]) -> Tensor:
        return torch.stack(features, 1) if self.spec.equivariance == "ps" else features[0]

    def _reads_both(self) -> bool:
        head = self.spec.head
        conjoin = head.conjoin if isinstance(head, SequenceClassifier) else "none"
        return self.spec.equivariance == "ps" or conjoin == "always" or (conjoin == "eval" and not self.training)

    def _lift(self, input_ids: Any, mask: Any, both: bool) -> list[Strand]:
        """Ids and masks of the strands to read."""
        ids = as_ids(input_ids, self)
        if ids.ndim == 3:
            if self.spec.equivariance == "ps" or not self._reads_both():
                raise ValueError(
                    f"input_ids have shape {tuple(ids.shape)}, expected (B, L): a pair is for a plain model whose head "
                    "conjoins, in this mode (train or eval); everything else reads (B, L)"
                )
            pair = [ids[..., 0], ids[..., 1]]
        else:
            pair = [ids, self.space_in.act(ids)] if both else [ids]
        pair = pair[: 2 if both else 1]
        if isinstance(mask, str) or mask is None:
            return [(x, as_mask(mask, x)) for x in pair]
        valid = as_mask(mask, pair[0])
        return list(zip(pair, [valid, flip(valid, 1)], strict=False))

    def _mix(self, strands: list[Strand]) -> list[Tensor]:
        """Features of every strand."""
        masks = [valid for _, valid in strands]
        self._refuse_unused(masks[0])
        hidden = [zero_masked(self.embedding(ids), valid) for ids, valid in strands]
        residual: list[Tensor | None] = [None] * len(strands)
        wide = self.spec.residual_in_fp32
        along, across = self._run(_along), self._run(_across)
        for norm, mixer, part in zip(self.norms, self.mixers, self.spec.mixers, strict=True):
            if part.role == "strand_mixer":
                y, total, other_y, other_total = across(
                    norm, mixer, wide, hidden[0], residual[0], masks[0], hidden[1], residual[1], masks[1]
                )
                hidden, residual = [y, other_y], [total, other_total]
            else:
                # Nothing holds on to what a layer is given: without a backward it is gone once it is normed.
                found = (along(norm, mixer, wide, hidden.pop(0), residual.pop(0), mask) for mask in masks)
                hidden, residual = map(list, zip(*found, strict=True))
        return [_normed(self.norm_f, wide, *state)[0] for state in zip(hidden, residual, masks, strict=True)]

    def _run(self, layer: Layer) -> Layer:
        """A layer as the attributes say that it is to be run."""
        if self.compile_layers and self.training:
            layer = _compiled(layer)
        if self.checkpoint_activations and torch.is_grad_enabled():
            return partial(checkpoint, layer, use_reentrant=False)
        return layer

    def _refuse_unused(self, mask: Tensor | None) -> None:
        ignoring = [f"mixers.{i}" for i, part in enumerate(self.spec.mixers) if not part.uses_mask]
        if ignoring and mask is not None and not bool(mask.all()):
            raise ValueError(
                f"{', '.join(ignoring)} ignores masks (uses_mask = False) and this mask has masked positions; "
                "give sequences of one length without a mask, or a mixer that uses masks"
            )


def _normed(
    norm: nn.Module, wide: bool, x: Tensor, residual: Tensor | None, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Normed strand and residual stream; the bias of a layer norm leaves masked positions at 0."""
    normed, total = norm(x, residual)
    if wide:
        total = total.to(torch.promote_types(total.dtype, torch.float32))
    return zero_masked(normed, mask), total


def _along(
    norm: nn.Module, mixer: nn.Module, wide: bool, x: Tensor, residual: Tensor | None, mask: Tensor | None
) -> tuple[Tensor, ...]:
    """A layer on one strand: what it adds to the residual stream, and that stream."""
    normed, total = _normed(norm, wide, x, residual, mask)
    del x, residual
    return zero_masked(mixer(normed, mask), mask), total


def _across(
    norm: nn.Module,
    mixer: nn.Module,
    wide: bool,
    x: Tensor,
    residual: Tensor | None,
    mask: Tensor | None,
    other: Tensor,
    other_residual: Tensor | None,
    other_mask: Tensor | None,
) -> tuple[Tensor, ...]:
    """A layer that mixes the strands: the same for the first and then for the second."""
    normed, total = _normed(norm, wide, x, residual, mask)
    other_normed, other_total = _normed(norm, wide, other, other_residual, other_mask)
    y, other_y = mixer(normed, other_normed, mask)
    return zero_masked(y, mask), total, zero_masked(other_y, other_mask), other_total


@cache
def _compiled(layer: Layer) -> Layer:
    """One compilation serves every layer of the same shape."""
    return torch.compile(layer, dynamic=False)
