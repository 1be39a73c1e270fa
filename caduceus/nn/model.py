"""Torch module of `parts.Model`: lift, mix, project.

The strands are a list of tensors (B, L, C), each in its own 5'->3' order: one for a plain model, two for `ps`.
Each goes through the same calls with the same shapes, so that exchanging them exchanges the results to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

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


class Model(TokenModel):
    """A model of tokens; its parameters carry the names of its spec's weights."""

    def __init__(self, spec: ModelSpec, backend: Backend) -> None:
        super().__init__()
        self.spec = spec
        self.space_in, self.space_out = spec.space_in, spec.space_out
        mixers = spec.bound_mixers()
        self.embedding = module_for(spec.embedding, backend)
        self.norms = nn.ModuleList(Norm(spec.bound_norm, backend) for _ in mixers)
        self.mixers = nn.ModuleList(module_for(mixer, backend) for mixer in mixers)
        self.norm_f = Norm(spec.bound_norm, backend)
        self.head = None if spec.head is None else module_for(spec.bound_head, backend)
        if isinstance(self.head, MaskedLM) and self.head.tied:
            self.head.weight = self.get_parameter("embedding.weight")

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
        residual: Sequence[Tensor | None] = [None] * len(strands)
        for norm, mixer, part in zip(self.norms, self.mixers, self.spec.mixers, strict=True):
            normed, residual = self._normed(norm, hidden, residual, masks)
            if part.role == "strand_mixer":
                hidden = list(mixer(*normed, masks[0]))
            else:
                hidden = [mixer(x, valid) for x, valid in zip(normed, masks, strict=True)]
            hidden = [zero_masked(x, valid) for x, valid in zip(hidden, masks, strict=True)]
        features, _ = self._normed(self.norm_f, hidden, residual, masks)
        return features

    def _normed(
        self,
        norm: nn.Module,
        hidden: list[Tensor],
        residual: Sequence[Tensor | None],
        masks: list[Tensor | None],
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Normed strands and residual streams; the bias of a layer norm leaves masked positions at 0."""
        pairs = [norm(x, r) for x, r in zip(hidden, residual, strict=True)]
        total = [r for _, r in pairs]
        if self.spec.residual_in_fp32:
            total = [r.to(torch.promote_types(r.dtype, torch.float32)) for r in total]
        return [zero_masked(x, valid) for (x, _), valid in zip(pairs, masks, strict=True)], total

    def _refuse_unused(self, mask: Tensor | None) -> None:
        ignoring = [f"mixers.{i}" for i, part in enumerate(self.spec.mixers) if not part.uses_mask]
        if ignoring and mask is not None and not bool(mask.all()):
            raise ValueError(
                f"{', '.join(ignoring)} ignores masks (uses_mask = False) and this mask has masked positions; "
                "give sequences of one length without a mask, or a mixer that uses masks"
            )
