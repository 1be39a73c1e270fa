"""Which torch module a spec becomes: this library's own by class, a third party's by its ``module`` method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from caduceus import parts
from caduceus.interfaces import Backend
from caduceus.nn.bimamba import BiMamba
from caduceus.nn.cross_strand import CrossStrand
from caduceus.nn.embedding import Embedding
from caduceus.nn.foreign import watched
from caduceus.nn.heads import LinearHead, MaskedLM
from caduceus.nn.mamba import Mamba
from caduceus.spec import Spec

_MODULES: dict[type[Spec], Callable[[Any, Backend], nn.Module]] = {
    parts.Embedding: Embedding,
    parts.Mamba: Mamba,
    parts.BiMamba: BiMamba,
    parts.CrossStrand: CrossStrand,
    parts.MaskedLM: MaskedLM,
    parts.SequenceClassifier: LinearHead,
    parts.TrackHead: LinearHead,
    parts.VectorHead: LinearHead,
}


def module_for(spec: Spec, backend: Backend, path: str) -> nn.Module:
    """The torch module of ``spec``, which stands at ``path`` in its model.

    Raises:
        TypeError: the spec is of a class that has no ``module(self, backend)`` method.
    """
    if type(spec) in _MODULES:
        return _MODULES[type(spec)](spec, backend)
    make = getattr(spec, "module", None)
    if make is None:
        raise TypeError(f"{spec.kind_name} has no method module(self, backend); give it one that returns an nn.Module")
    module = make(backend)
    if not isinstance(module, nn.Module):
        raise TypeError(f"{spec.kind_name}.module returned {type(module).__name__}, expected a torch.nn.Module")
    return watched(module, spec, path)
