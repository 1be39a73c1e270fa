"""What the official layout cannot hold, said by field."""

from __future__ import annotations

from typing import Any, NoReturn

from caduceus.parts import BiMamba, Embedding, Mamba, Model
from caduceus.spec import Spec


def refuse(field: str, value: Any, expected: str) -> NoReturn:
    """Raise the error of a spec that the official layout cannot hold."""
    raise ValueError(
        f"{field} is {value}, which has no official form, expected {expected}; save with layout='caduceus' instead"
    )


def the_model(spec: Spec) -> Model:
    """The spec, if it is a model."""
    return spec if isinstance(spec, Model) else refuse("spec", spec.kind_name, "a model")


def the_embedding(spec: Model) -> Embedding:
    """The embedding, if it is this library's own table."""
    found = spec.embedding
    return found if type(found) is Embedding else refuse("embedding", found.kind_name, "embedding")


def the_mixer(spec: Model) -> BiMamba | Mamba:
    """The mixer that every layer has, if they are all alike and walk forward."""
    if not spec.mixers:
        refuse("mixers", "empty", "at least one bimamba or mamba")
    mixers = spec.bound_mixers()
    first: Any = mixers[0]
    for i, mixer in enumerate(mixers):
        if type(mixer) not in (BiMamba, Mamba):
            refuse(f"mixers.{i}", mixer.kind_name, "bimamba or mamba")
        if mixer != first:
            refuse(f"mixers.{i}", f"{mixer!r}", f"the same as mixers.0, {first!r}")
    if isinstance(first, Mamba) and first.direction != "forward":
        refuse("mixers.0.direction", first.direction, "forward")
    return first
