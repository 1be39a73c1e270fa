"""The learning rate, against the authors' scheduler class."""

from __future__ import annotations

import json

import pytest

import caduceus
from caduceus import parts
from caduceus.conformance.golden_cases import FOLDER
from caduceus.train.optimiser import configure, learning_rate
from caduceus.train.schedule import warmup_cosine
from caduceus.train.settings import Training

CASES = json.loads((FOLDER / "lr_schedule.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", CASES)
def test_the_rate_at_every_recorded_step(name: str) -> None:
    told = CASES[name]
    for step, expected in told["lr_at_step"]:
        found = warmup_cosine(
            step,
            told["lr"],
            warmup=told["warmup_t"],
            cosine=told["t_initial"],
            start=told["warmup_lr_init"],
            end=told["lr_min"],
            prefix=told["warmup_prefix"],
        )
        assert found == pytest.approx(expected, rel=1e-12, abs=0), step


@pytest.mark.parametrize(("name", "max_steps"), [("pretrain_1k_10000", 10_000), ("pretrain_131k_50000", 50_000)])
def test_the_defaults_are_those_of_pretraining(name: str, max_steps: int) -> None:
    settings = Training(max_steps=max_steps)
    for step, expected in CASES[name]["lr_at_step"]:
        assert learning_rate(step, settings) == pytest.approx(expected, rel=1e-12, abs=0), step


def test_the_optimiser_is_given_that_rate() -> None:
    settings = Training(max_steps=20)
    spec = parts.Model(embedding=parts.Embedding(d_model=4), mixers=[], head=parts.MaskedLM())
    optimiser, schedule = configure(caduceus.build(spec, backend="torch"), settings)
    for step in range(20):
        rates = [group["lr"] for group in optimiser.param_groups]
        assert rates == pytest.approx([learning_rate(step, settings)] * 2, rel=1e-12)
        optimiser.step()
        schedule.step()
