"""The parts of a model, as specs: one idea of the paper a file.

lift        Embedding
mix         Mamba, BiMamba, or a third party's `caduceus.spec.Spec`
mix across  CrossStrand
project     MaskedLM, SequenceClassifier, TrackHead, VectorHead
around      Norm, Model, Symmetrize
"""

from caduceus.parts.bimamba import BiMamba
from caduceus.parts.cross_strand import CrossStrand
from caduceus.parts.embedding import Embedding
from caduceus.parts.heads import Head, MaskedLM, SequenceClassifier, TrackHead, VectorHead
from caduceus.parts.mamba import Mamba
from caduceus.parts.model import Model
from caduceus.parts.norm import Norm
from caduceus.parts.symmetrize import Symmetrize

__all__ = [
    "BiMamba",
    "CrossStrand",
    "Embedding",
    "Head",
    "Mamba",
    "MaskedLM",
    "Model",
    "Norm",
    "SequenceClassifier",
    "Symmetrize",
    "TrackHead",
    "VectorHead",
]
