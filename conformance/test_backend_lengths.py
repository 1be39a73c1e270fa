"""Exactly 0.0 where it is promised: at every length, in both precisions, on one thread and on two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.conformance.catalogue import cell
from caduceus.conformance.properties import equivariance
from caduceus.conformance.subjects import Case, Subject

Hold = Callable[..., None]
LENGTHS = (*range(1, 65), 257, 1000)


def one_layer(d_model: int, mixer: parts.BiMamba | parts.Mamba) -> parts.Model:
    return parts.Model(embedding=parts.Embedding(d_model=d_model), mixers=[mixer], head=parts.MaskedLM())


@contextmanager
def threads(count: int) -> Iterator[None]:
    """As many threads inside: a product may be cut along its rows only where rows are few."""
    usual = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(usual)


@pytest.mark.parametrize("d_model", [16, 118])
def test_every_length(subject: Subject, hold: Hold, d_model: int) -> None:
    """The published mixer; 118 is a width that no vector register divides."""
    spec = one_layer(d_model, parts.BiMamba(mamba=cell(d_state=16)))
    hold(equivariance.check_equivariance_at, Case(spec, subject), LENGTHS)


def test_lengths_on_two_threads(candidate: Subject, hold: Hold) -> None:
    with threads(2):
        case = Case(one_layer(118, parts.Mamba()), candidate)
        hold(equivariance.check_equivariance_at, case, (*range(1, 10), 63, 64, 65, 257), batch=2)


@pytest.mark.parametrize("name", ["caduceus-ps-1k-d118", "caduceus-ps-1k-d256"])
def test_models_of_the_paper(candidate: Subject, hold: Hold, name: str) -> None:
    hold(equivariance.check_equivariance_at, Case(caduceus.zoo.spec(name), candidate), (1, 17, 64), batch=2)
