"""A model as it is asked: in eval mode, on both strands, its needs known."""

from __future__ import annotations

from typing import Any

from caduceus.nn.model import Model as ModelModule
from caduceus.nn.symmetrize import Symmetrize as SymmetrizeModule
from caduceus.nn.token_model import TokenModel
from caduceus.parts import MaskedLM, Model, Symmetrize


def inner_spec(model: Any) -> Model:
    """The spec of the model itself, inside an average too."""
    spec = getattr(model, "spec", None)
    spec = spec.model if isinstance(spec, Symmetrize) else spec
    if not isinstance(model, TokenModel) or not isinstance(spec, Model):
        raise TypeError(f"model is {type(model).__name__}, expected what caduceus.build or load_pretrained returns")
    return spec


def both_strands(model: Any) -> TokenModel:
    """A model that answers for both strands: a ps model itself, any other averaged, sharing its weights.

    >>> import caduceus
    >>> from caduceus import parts
    >>> spec = parts.Model(equivariance="ph", embedding=parts.Embedding(d_model=8), mixers=[])
    >>> model = both_strands(caduceus.build(spec))
    >>> model.spec.kind_name, tuple(model.features([[7, 8, 9]]).shape)
    ('symmetrize', (1, 2, 3, 8))
    """
    spec = inner_spec(model)
    if isinstance(model, ModelModule) and spec.equivariance != "ps":
        return SymmetrizeModule(Symmetrize(model=spec), model).train(model.training)
    return model


def language_model(model: Any) -> TokenModel:
    """`both_strands` of a model with a masked-LM head; ValueError for any other head."""
    head = inner_spec(model).head
    if not isinstance(head, MaskedLM):
        kind = "no head" if head is None else f"a {head.kind_name}"
        raise ValueError(f"the model has {kind}, expected a masked-LM head: scores are its logits")
    return both_strands(model)


def uses_masks(model: Any) -> bool:
    """Whether every mixer obeys masks, so that a window may pass the end of a contig."""
    return all(mixer.uses_mask for mixer in inner_spec(model).mixers)
