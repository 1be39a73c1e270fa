"""Which head a caller of `load_pretrained` gets: the file's, none, or a fresh classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from caduceus.parts import Head, MaskedLM, Model, SequenceClassifier, Symmetrize
from caduceus.parts.heads import Pooling
from caduceus.weights import draw

Task = Literal["masked_lm", "classification", "sequence_classification", "backbone", "features"]
Conjoin = Literal["none", "eval", "always"]
_SYNONYMS = {"sequence_classification": "classification", "features": "backbone"}


@dataclass(frozen=True)
class Request:
    """What a caller asks of the head; see `load_pretrained`."""

    task: str | None = None
    pooling: str | None = None
    conjoin: str | None = None
    num_labels: int | None = None
    head: str = "strict"

    def __post_init__(self) -> None:
        for field, known in (("task", Task), ("pooling", Pooling), ("conjoin", Conjoin)):
            value = getattr(self, field)
            if value is not None and value not in get_args(known):
                raise ValueError(f"{field} is {value!r}, expected one of {', '.join(get_args(known))} or None")
        if self.head not in ("strict", "new"):
            raise ValueError(f"head is {self.head!r}, expected 'strict' or 'new'")
        if self.head == "new" and self.wanted not in (None, "classification"):
            raise ValueError(
                f"head='new' makes a classifier, expected task 'classification' or None, got {self.task!r}"
            )

    @property
    def wanted(self) -> str | None:
        """The task, under one name."""
        return None if self.task is None else _SYNONYMS.get(self.task, self.task)

    @property
    def options(self) -> dict[str, Any]:
        """The fields of a classifier that were given."""
        fields = {"pooling": self.pooling, "conjoin": self.conjoin, "num_labels": self.num_labels}
        return {name: value for name, value in fields.items() if value is not None}


def with_head(
    spec: Model | Symmetrize, weights: dict[str, np.ndarray], request: Request, classifier: SequenceClassifier
) -> tuple[Model | Symmetrize, dict[str, np.ndarray]]:
    """The model with the head that was asked for.

    Args:
        spec, weights: what the file holds.
        classifier: what a fresh classifier is where the request leaves it open.

    Raises:
        ValueError: the file has no such head and none was to be made, or an option does not fit the head.
    """
    if request == Request():
        return spec, weights
    if not isinstance(spec, Model):
        raise ValueError(f"the file holds {spec.kind_name}, expected a model: load it without task and head options")
    held = _task_of(spec)
    if request.head == "new":
        return _fresh(spec, weights, request, classifier)
    wanted = request.wanted or held
    if wanted == "backbone":
        _refuse_options(request, "has no head")
        return replaced_head(spec, None), backbone_weights(weights)
    if wanted != held:
        advice = "; head='new' adds a fresh, untrained classifier" if wanted == "classification" else ""
        raise ValueError(f"task is {request.task!r}, but the file holds {_said(held)}{advice}")
    if not isinstance(spec.head, SequenceClassifier):
        _refuse_options(request, f"is a {held} head")
        return spec, weights
    return replaced_head(spec, _classifier(spec, spec.head, request)), weights


def _task_of(spec: Model) -> str:
    if spec.head is None:
        return "backbone"
    if isinstance(spec.head, MaskedLM):
        return "masked_lm"
    return "classification" if isinstance(spec.head, SequenceClassifier) else spec.head.kind_name


def _said(task: str) -> str:
    return {
        "backbone": "a backbone without a head",
        "masked_lm": "a masked language model",
        "classification": "a classifier",
    }.get(task, f"a {task} head")


def _fresh(
    spec: Model, weights: dict[str, np.ndarray], request: Request, classifier: SequenceClassifier
) -> tuple[Model, dict[str, np.ndarray]]:
    rows = classifier.num_labels if request.num_labels is None else request.num_labels
    spec = replaced_head(spec, _classifier(spec, classifier.model_copy(update={"num_labels": rows}), request))
    head = {name: weight for name, weight in spec.weights().items() if name.startswith("head.")}
    return spec, {**backbone_weights(weights), **draw(head, seed=0)}


def _classifier(spec: Model, head: SequenceClassifier, request: Request) -> SequenceClassifier:
    if request.num_labels not in (None, head.num_labels):
        raise ValueError(
            f"num_labels is {request.num_labels}, but the file's classifier has {head.num_labels}; "
            "leave it out, or head='new' for a fresh classifier"
        )
    if spec.equivariance == "ps" and request.conjoin not in (None, "none"):
        raise ValueError(
            f"conjoin is {request.conjoin!r}, expected none: a ps model reads both strands and averages them already"
        )
    return SequenceClassifier.model_validate({**dict(head), **request.options})


def _refuse_options(request: Request, why: str) -> None:
    if request.options:
        raise ValueError(f"{', '.join(request.options)}: for a classifier, but what is loaded {why}")


def replaced_head(spec: Model, head: Head | None) -> Model:
    """The same model with another head, or none."""
    return type(spec).model_validate({**dict(spec), "head": head})


def backbone_weights(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights without those of the head."""
    return {name: value for name, value in weights.items() if not name.startswith("head.")}
