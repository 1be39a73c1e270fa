"""config.json as published: the fields of a spec, in the authors' order and format (docs/published_models.md 5)."""

from __future__ import annotations

import json
from typing import Any, get_args

from caduceus.checkpoint.config import CELL_FIELDS, PublishedPooling, default_n_as
from caduceus.checkpoint.refusals import refuse, the_embedding, the_mixer
from caduceus.parts import BiMamba, MaskedLM, Model, SequenceClassifier

_AUTO_MAP = {
    "AutoConfig": "configuration_caduceus.CaduceusConfig",
    "AutoModel": "modeling_caduceus.Caduceus",
    "AutoModelForMaskedLM": "modeling_caduceus.CaduceusForMaskedLM",
    "AutoModelForSequenceClassification": "modeling_caduceus.CaduceusForSequenceClassification",
}


def config_text(spec: Model, fused: bool, dtype: str) -> str:
    """The text of config.json for a spec as an official file holds it; byte for byte the published one for theirs."""
    return json.dumps(config_of(spec, fused, dtype), indent=2, sort_keys=True) + "\n"


def config_of(spec: Model, fused: bool, dtype: str) -> dict[str, Any]:
    """The fields of config.json.

    Args:
        dtype: of the tensors, such as "float32".

    Raises:
        ValueError: a field of the spec has no official form; the message names it.
    """
    embedding, mixer = the_embedding(spec), the_mixer(spec)
    cell = mixer.mamba if isinstance(mixer, BiMamba) else mixer
    alphabet = embedding.alphabet
    return {
        "auto_map": _AUTO_MAP,
        "bidirectional": isinstance(mixer, BiMamba),
        "bidirectional_strategy": "ew_multiply" if getattr(mixer, "fusion", "add") == "multiply" else "add",
        "bidirectional_weight_tie": getattr(mixer, "tie", "projections") == "projections",
        "complement_map": dict(enumerate(alphabet.complement)),
        "d_model": spec.channels,
        "fused_add_norm": fused or spec.equivariance != "ps",
        "initializer_cfg": {
            "initializer_range": embedding.initializer_range,
            "n_residuals_per_layer": spec.n_residuals_per_layer,
            "rescale_prenorm_residual": spec.rescale_prenorm_residual,
        },
        "model_type": "caduceus",
        "n_layer": len(spec.mixers),
        "norm_epsilon": spec.norm.eps,
        "pad_vocab_size_multiple": 1 if alphabet.size % 8 else 8,
        "rcps": spec.equivariance == "ps",
        "residual_in_fp32": spec.residual_in_fp32,
        "rms_norm": spec.norm.kind == "rms",
        "ssm_cfg": {**{name: getattr(cell, name) for name in CELL_FIELDS}, "use_fast_path": True},
        "torch_dtype": dtype,
        "transformers_version": "4.38.1",
        "vocab_size": alphabet.size,
        **_head_fields(spec),
        **({"equivariance": "none"} if spec.equivariance == "none" else {}),
        **({} if spec.n_as == default_n_as(spec.head) else {"n_as": spec.n_as}),
    }


def _head_fields(spec: Model) -> dict[str, Any]:
    head = spec.head
    if head is None:
        return {"architectures": ["Caduceus"]}
    if type(head) is MaskedLM:
        untied = {"tie_word_embeddings": False} if head.tie == "none" else {}
        return {"architectures": ["CaduceusForMaskedLM"], **untied}
    if type(head) is not SequenceClassifier:
        refuse("head", head.kind_name, "masked_lm, sequence_classifier or none")
    if head.bias:
        refuse("head.bias", True, "False: the official classifier has none")
    if head.pooling not in get_args(PublishedPooling):
        refuse("head.pooling", head.pooling, ", ".join(get_args(PublishedPooling)))
    labels = {i: f"LABEL_{i}" for i in range(head.num_labels)}
    named = {"id2label": labels, "label2id": {name: i for i, name in labels.items()}} if head.num_labels != 2 else {}
    return {
        "architectures": ["CaduceusForSequenceClassification"],
        "conjoin_eval": head.conjoin == "eval",
        "conjoin_train": head.conjoin == "always",
        "pooling_strategy": head.pooling,
        **named,
        **({} if head.problem_type is None else {"problem_type": head.problem_type}),
    }
