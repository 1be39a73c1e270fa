"""Models to fine-tune: what each head and each way of conjoining does on either strand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.alphabet import BASES
from caduceus.checkpoint.finetuning import (
    CONJOINING,
    Conjoining,
    class_outputs,
    finetuning_head,
    finetuning_model,
    freeze_backbone,
)
from caduceus.conformance.project.sources import ROOT

IDS = np.random.default_rng(0).choice(BASES, (3, 12))


def spec(equivariance: str) -> parts.Model:
    return parts.Model(
        equivariance=equivariance,  # type: ignore[arg-type]
        embedding=parts.Embedding(d_model=8),
        mixers=[parts.BiMamba(mamba=parts.Mamba(d_state=2))],
        head=parts.MaskedLM(),
    )


def answers(model: Any, ids: np.ndarray) -> torch.Tensor:
    found: torch.Tensor = class_outputs(model(ids), model.spec.bound_head).detach()
    return found


def rc(ids: np.ndarray) -> np.ndarray:
    found: np.ndarray = spec("ps").space_in.act(ids)
    return found


@pytest.mark.parametrize("mode", CONJOINING)
def test_each_way_of_conjoining_averages_when_its_row_says(mode: Conjoining) -> None:
    head = finetuning_head(spec("ph"), 3, conjoining=mode)
    model = finetuning_model(spec("ph"), head, seed=1, backend="torch")
    assert CONJOINING[mode].reverses == (mode in ("augment", "test"))
    for training, averages in ((True, mode == "train"), (False, mode in ("test", "train"))):
        model.train(training)
        assert torch.equal(answers(model, IDS), answers(model, rc(IDS))) == averages
    plain = finetuning_model(spec("ph"), finetuning_head(spec("ph"), 3, conjoining="none"), seed=1, backend="torch")
    mean = (answers(plain, IDS) + answers(plain, rc(IDS))) / 2
    model.eval()
    assert torch.allclose(answers(model, IDS), mean, atol=1e-6) == (mode in ("test", "train"))


def test_the_table_in_the_docs_is_the_one_in_the_code() -> None:
    page = ROOT / "docs" / "fine_tuning.md"
    if not page.is_file():
        pytest.skip("not applicable: no docs/ in an installed package")
    rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in page.read_text().splitlines()]
    table = {row[0].strip("`"): row for row in rows if row[0].strip("`") in CONJOINING}
    assert table.keys() == CONJOINING.keys()
    averages = {"none": ("no", "no"), "eval": ("no", "both strands"), "always": ("both strands", "both strands")}
    for name, mode in CONJOINING.items():
        assert (table[name][1] == "either strand, by a coin") == mode.reverses
        assert tuple(table[name][2:4]) == averages[mode.conjoin]


def test_an_invariant_readout_cannot_tell_the_strands_apart_and_an_equivariant_one_can() -> None:
    for readout, same in (("invariant", True), ("equivariant", False)):
        head = finetuning_head(spec("ps"), 3, readout=readout)  # type: ignore[arg-type]
        model = finetuning_model(spec("ps"), head, backend="torch")
        assert answers(model, IDS).shape == (3, 3)
        assert torch.equal(answers(model, IDS), answers(model, rc(IDS))) == same
        assert caduceus.check.equivariance_error(model, lengths=(1, 5), n=2) == 0.0


def test_an_equivariant_readout_says_the_opposite_strand_of_the_reverse_complement() -> None:
    model = finetuning_model(spec("ps"), finetuning_head(spec("ps"), 3, readout="equivariant"), backend="torch")
    here, opposite = model(IDS)[:, 0::2], model(IDS)[:, 1::2]
    assert torch.equal(model(rc(IDS))[:, 0::2], opposite)
    assert torch.equal(model(rc(IDS))[:, 1::2], here)


def test_an_equivariant_readout_learns_a_label_of_one_strand_and_an_invariant_one_does_not() -> None:
    """The label: more A than T. An invariant model has to say the same of both strands, so half of the time wrong."""
    rng = np.random.default_rng(2)
    ids = np.concatenate([rng.choice(BASES, (32, 12), p=p) for p in ([0.4, 0.3, 0.3, 0.0], [0.0, 0.3, 0.3, 0.4])])
    ids, labels = np.concatenate([ids, rc(ids)]), torch.tensor([1] * 32 + [0] * 32 + [0] * 32 + [1] * 32)
    right = {}
    for readout in ("invariant", "equivariant"):
        head = finetuning_head(spec("ps"), 2, readout=readout)  # type: ignore[arg-type]
        model = finetuning_model(spec("ps"), head, backend="torch")
        optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
        for _ in range(15):
            optimiser.zero_grad()
            loss = caduceus.losses.classification(
                class_outputs(model(ids), head), labels, "single_label_classification"
            )
            loss.backward()
            optimiser.step()
        right[readout] = float((answers(model, ids).argmax(1) == labels).float().mean())
    assert right["invariant"] == 0.5
    assert right["equivariant"] > 0.95


def test_pretrained_weights_are_kept_and_the_head_is_fresh(tmp_path: Path) -> None:
    trained = caduceus.build(spec("ps"), backend="torch", seed=7)
    caduceus.save_pretrained(trained, tmp_path / "model")
    loaded = caduceus.load_pretrained(tmp_path / "model", backend="torch")
    head = finetuning_head(loaded.spec, 2, readout="equivariant")
    first, second = (
        finetuning_model(loaded.spec, head, loaded.weights(), seed=seed, backend="torch") for seed in (1, 2)
    )
    untrained = finetuning_model(loaded.spec, head, seed=1, backend="torch")
    assert first.training
    assert torch.equal(first.features(IDS), trained.features(IDS))
    assert not torch.equal(untrained.features(IDS), trained.features(IDS))
    assert not torch.equal(first.head.weight, second.head.weight)


def test_a_probe_trains_the_head_alone() -> None:
    model = finetuning_model(spec("ps"), finetuning_head(spec("ps"), 2), backend="torch")
    freeze_backbone(model)
    model(IDS).sum().backward()
    assert {n for n, p in model.named_parameters() if p.grad is not None} == {"head.weight", "head.bias"}


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(ValueError, match=r"conjoining is 'test', expected none: a ps model reads both strands"):
        finetuning_head(spec("ps"), 2, conjoining="test")
    with pytest.raises(ValueError, match=r"conjoining is 'augment', expected none: with readout equivariant"):
        finetuning_head(spec("ph"), 2, readout="equivariant", conjoining="augment")
    with pytest.raises(ValueError, match=r"conjoining is 'both', expected one of none, augment, test, train"):
        finetuning_head(spec("ph"), 2, conjoining="both")  # type: ignore[arg-type]
