"""What trained models are asked: which variant matters, and what they see."""

from caduceus.predict.embedding import Embedder, embed
from caduceus.predict.layers import Layers
from caduceus.predict.maps import Map, Mapper, mutagenesis
from caduceus.predict.models import both_strands
from caduceus.predict.one_hot import OneHot
from caduceus.predict.regions import RegionScorer, Tiling, score_regions
from caduceus.predict.scoring import Score, Scorer, Scoring
from caduceus.predict.variant_table import score_variants

__all__ = [
    "Embedder",
    "Layers",
    "Map",
    "Mapper",
    "OneHot",
    "RegionScorer",
    "Score",
    "Scorer",
    "Scoring",
    "Tiling",
    "both_strands",
    "embed",
    "mutagenesis",
    "score_regions",
    "score_variants",
]
