"""A model to fine-tune: a backbone with a fresh head, by what the labels do under the reverse complement.

    invariant     a sequence and its reverse complement have the same label. y = (f(s0) + f(s1)) / 2
    equivariant   the label is about the strand that is given, as of a splice donor. f gives each class twice, for this
                  strand and for the opposite one, and rc exchanges the two: y = (f_here(s0) + f_opposite(s1)) / 2

With an invariant head a model cannot tell a donor on one strand from one on the other; with an equivariant one it
can, and what it says of a sequence still fixes what it says of the reverse complement (docs/fine_tuning.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from caduceus.checkpoint.heads import Conjoin, backbone_weights, replaced_head
from caduceus.construct import build
from caduceus.parts import Head, Model, SequenceClassifier, VectorHead
from caduceus.parts.heads import Pooling
from caduceus.weights import draw

Readout = Literal["invariant", "equivariant"]
Conjoining = Literal["none", "augment", "test", "train"]


class Mode(NamedTuple):
    """What a way of conjoining means.

    Attributes:
        reverses: half of the training sequences are read on the reverse strand.
        conjoin: when the classifier runs a sequence and its reverse complement and averages.
    """

    reverses: bool
    conjoin: Conjoin


CONJOINING: dict[Conjoining, Mode] = {
    "none": Mode(reverses=False, conjoin="none"),
    "augment": Mode(reverses=True, conjoin="none"),
    "test": Mode(reverses=True, conjoin="eval"),
    "train": Mode(reverses=False, conjoin="always"),
}


def default_conjoining(spec: Model, readout: Readout) -> Conjoining:
    """The paper's: "test" for a ph model, as its authors evaluate it, where the label allows it; else "none"."""
    return "test" if spec.equivariance == "ph" and readout == "invariant" else "none"


def finetuning_head(
    spec: Model,
    outputs: int,
    *,
    readout: Readout = "invariant",
    conjoining: Conjoining | None = None,
    pooling: Pooling = "mean",
) -> Head:
    """The head for ``outputs`` classes or targets, with a bias as in the authors' fine-tuning.

    Args:
        spec: the model it is for; its own head does not count.
        conjoining: null: `default_conjoining`.

    Raises:
        ValueError: a ps model was asked to conjoin, which it always does; or a model to conjoin or augment where the
            label is that of one strand, so that the reverse complement does not have it.

    >>> from caduceus import zoo
    >>> ps, ph = zoo.spec("caduceus-ps-1k-d118"), zoo.spec("caduceus-ph-1k-d118")
    >>> finetuning_head(ps, 3, readout="equivariant").space_out.channels, finetuning_head(ph, 3).conjoin
    (6, 'eval')
    """
    chosen = default_conjoining(spec, readout) if conjoining is None else conjoining
    if chosen not in CONJOINING:
        raise ValueError(f"conjoining is {chosen!r}, expected one of {', '.join(CONJOINING)}")
    if readout not in ("invariant", "equivariant"):
        raise ValueError(f"readout is {readout!r}, expected invariant or equivariant")
    if spec.equivariance == "ps" and chosen != "none":
        raise ValueError(f"conjoining is {chosen!r}, expected none: a ps model reads both strands at all times")
    if readout == "equivariant" and chosen != "none":
        raise ValueError(
            f"conjoining is {chosen!r}, expected none: with readout equivariant the label is that of one strand, and "
            "a reverse complement does not have it"
        )
    if spec.equivariance == "ps" and readout == "equivariant":
        return VectorHead(stranded=outputs, pooling=pooling)
    return SequenceClassifier(num_labels=outputs, bias=True, pooling=pooling, conjoin=CONJOINING[chosen].conjoin)


def finetuning_model(
    spec: Model, head: Head, weights: Mapping[str, np.ndarray] | None = None, *, seed: int = 0, **options: Any
) -> Any:
    """The model of ``spec`` with a fresh ``head``, in train mode.

    Args:
        weights: of a trained model of ``spec``, those of its head left out; None: the same network, untrained, which is
            what a pretrained one must be better than.
        seed: of the head, and of the whole model without ``weights``.
        options: backend, dtype and device, as `caduceus.build`.
    """
    headed = replaced_head(spec, head)
    if weights is None:
        return build(headed, seed=seed, **options)
    fresh = {name: weight for name, weight in headed.weights().items() if name.startswith("head.")}
    return build(headed, weights={**backbone_weights(dict(weights)), **draw(fresh, seed)}, **options)


def class_outputs(outputs: Any, head: Head) -> Any:
    """(B, classes) for the strand that is given, out of what a model with ``head`` returns, an array or a tensor."""
    return outputs[:, : 2 * head.stranded : 2] if isinstance(head, VectorHead) else outputs


def freeze_backbone(model: Any) -> None:
    """Train the head alone: a linear probe of the features as they are."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("head."))
