"""Activation checkpointing changes no bit of what a model gives or learns, and keeps less."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.conformance import inputs
from caduceus.conformance.properties import activations
from caduceus.conformance.subjects import Case, Subject
from caduceus.spec import Spec

Hold = Callable[..., None]


def test_the_same_bits(learning: Case, hold: Hold) -> None:
    hold(activations.check_checkpointing, learning, inputs.random_ids(0, learning.spec.space_in, 2, 9))


@pytest.mark.models("masked")
def test_the_same_bits_under_a_mask(learning: Case, hold: Hold) -> None:
    ids = inputs.random_ids(1, learning.spec.space_in, 3, 9)
    hold(activations.check_checkpointing, learning, ids, inputs.random_mask(1, 3, 9))


class Noise(torch.nn.Module):
    """A layer that draws random numbers."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(channels))

    def forward(self, x: torch.Tensor, mask: Any = None) -> torch.Tensor:
        return torch.nn.functional.dropout(x, 0.5) * self.scale


class Dropout(Spec):
    """A mixer of a third party, random in training."""

    def module(self, backend: Any) -> torch.nn.Module:
        return Noise(self.channels)


def test_random_layers_draw_the_same_again(candidate: Subject) -> None:
    spec = parts.Model(embedding=parts.Embedding(d_model=8), mixers=[Dropout(), parts.BiMamba()], head=parts.MaskedLM())
    model = candidate.build(spec)
    ids = inputs.random_bases(0, 2, 33)
    assert activations.check_checkpointing(model, ids) == 0.0
    assert not torch.equal(model.train()(ids), model(ids))


@pytest.mark.parametrize("equivariance", ["ps", "ph"])
def test_only_what_goes_into_a_layer_is_kept(candidate: Subject, equivariance: str) -> None:
    """The bytes that layers add: two tensors (B, L, C) for each strand, whatever happens inside them."""
    layers, batch, length, channels = 3, 2, 40, 8
    strands = 2 if equivariance == "ps" else 1
    ids = inputs.random_bases(0, batch, length)
    stream = batch * length * channels * (8 if candidate.dtype == "float64" else 4)

    def kept(mixers: int, checkpointed: bool) -> int:
        embedding = parts.Embedding(d_model=channels)
        spec = parts.Model(equivariance=equivariance, embedding=embedding, mixers=[parts.BiMamba()] * mixers)
        return activations.trained(candidate.build(spec).train(), ids, None, checkpointed)[1]

    added = kept(layers, True) - kept(0, True)
    assert added <= 2 * layers * strands * stream
    assert kept(layers, False) - kept(0, False) > 5 * added


def test_it_is_asked_for_when_a_model_is_built(candidate: Subject) -> None:
    spec = parts.Model(equivariance="ph", embedding=parts.Embedding(d_model=4), mixers=[parts.BiMamba()])
    for given in (spec, parts.Symmetrize(model=spec)):
        model = caduceus.build(given, backend=candidate.backend, dtype=candidate.dtype, checkpoint_activations=True)
        assert model.checkpoint_activations
        assert not caduceus.build(given, backend=candidate.backend, dtype=candidate.dtype).checkpoint_activations
    assert model.model.checkpoint_activations  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="checkpoint_activations is for training, and the reference has no backward"):
        caduceus.build(spec, backend="reference", checkpoint_activations=True)
