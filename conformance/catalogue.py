"""The models that every property of models is tried on: small, one of each kind."""

from __future__ import annotations

from typing import Any

from caduceus import parts
from caduceus.conformance.examples.dilated_conv import DilatedConv
from caduceus.spec import Spec


def cell(**fields: object) -> parts.Mamba:
    """A small Mamba whose steps are long enough for the state to matter."""
    return parts.Mamba.model_validate({"d_state": 3, "dt_min": 0.05, "dt_max": 0.9, **fields})


def _model(equivariance: str, head: parts.Head | None, *mixers: Spec, width: int = 6, **fields: Any) -> parts.Model:
    return parts.Model(
        equivariance=equivariance, embedding=parts.Embedding(d_model=width), mixers=mixers, head=head, **fields
    )


BOTH = parts.BiMamba(mamba=cell())
TIMES = parts.BiMamba(mamba=cell(bias=True, d_conv=3, expand=1.5), fusion="multiply", tie="none")
BIASED = parts.BiMamba(mamba=cell(bias=True, conv_bias=False))
FORWARD, BACKWARD = cell(), cell(direction="reverse", bias=True)
LAYER = parts.Norm(kind="layer", eps=1e-3)
CLASSES = parts.SequenceClassifier(num_labels=3, bias=True)
TRACKS = parts.TrackHead(invariant=1, stranded=1, signed=2)
VECTOR = parts.VectorHead(invariant=1, stranded=1, signed=1, pooling="first")

CATALOGUE: dict[str, Spec] = {
    "ps-masked_lm": _model("ps", parts.MaskedLM(), BOTH, BOTH),
    "ps-masked_lm-untied": _model("ps", parts.MaskedLM(tie="none"), TIMES, BIASED, width=5, norm=LAYER),
    "ps-one_way": _model("ps", parts.MaskedLM(), FORWARD, BACKWARD),
    "ps-classifier-mean": _model("ps", CLASSES, BOTH),
    "ps-classifier-max": _model("ps", CLASSES.model_copy(update={"pooling": "max"}), BIASED),
    "ps-tracks": _model("ps", TRACKS, BOTH, residual_in_fp32=True),
    "ps-vector": _model("ps", VECTOR, BOTH),
    "ps-vector-last": _model("ps", VECTOR.model_copy(update={"pooling": "last"}), FORWARD),
    "ps-vector-centre": _model("ps", VECTOR.model_copy(update={"pooling": "centre"}), BIASED),
    "ps-features": _model("ps", None, BOTH),
    "ps-cross_strand": _model("ps", parts.MaskedLM(), BOTH, parts.CrossStrand(), BOTH),
    "ps-embedding": _model("ps", TRACKS),
    "ps-dilated_conv": _model("ps", parts.MaskedLM(), DilatedConv(width=3, dilation=2), BOTH),
    "ph-masked_lm": _model("ph", parts.MaskedLM(), BOTH, norm=LAYER),
    "ph-conjoined-eval": _model("ph", CLASSES.model_copy(update={"conjoin": "eval", "pooling": "first"}), BOTH),
    "ph-conjoined-always": _model("ph", CLASSES.model_copy(update={"conjoin": "always"}), FORWARD),
    "none-tracks": _model("none", TRACKS, FORWARD),
    "average-masked_lm": parts.Symmetrize(model=_model("ph", parts.MaskedLM(), BOTH)),
    "average-vector": parts.Symmetrize(model=_model("none", VECTOR, FORWARD)),
    "average-ps-features": parts.Symmetrize(model=_model("ps", None, FORWARD)),
}
