"""A fine-tuning run: it learns, continues where it stopped, and gives the weights that were best by validation."""

from __future__ import annotations

import csv
import signal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from caduceus import parts
from caduceus.checkpoint.finetuning import class_outputs, finetuning_head, finetuning_model, freeze_backbone
from caduceus.conformance.one_thread import one_thread as one_thread
from caduceus.data import Labelled, Table, labelled
from caduceus.data.finetuning import LabelledSamples, target_scale
from caduceus.data.holding_out import hold_out
from caduceus.evaluate.cnn import CNN
from caduceus.evaluate.metrics import Predictions, score
from caduceus.nn.lora import add_lora, merge_lora
from caduceus.train.classifier import tuning_rate
from caduceus.train.selection import read_curve
from caduceus.train.settings import Checkpoints, Optimiser
from caduceus.train.signals import Signals, Stopped
from caduceus.train.tune import Tuned, predict, tune
from caduceus.train.tuning_settings import Tuning

SETTINGS = Tuning(
    epochs=3, batch=8, optimiser=Optimiser(lr=0.02, betas=(0.9, 0.999)), accelerator="cpu", precision="32-true"
)
SPEC = parts.Model(
    embedding=parts.Embedding(d_model=8),
    mixers=[parts.BiMamba(mamba=parts.Mamba(d_state=2, expand=1))],
    head=parts.MaskedLM(),
)


def rows(problem: str = "single_label_classification") -> Labelled:
    """60 sequences of 10 to 20 bases; those of class "rich" hold more G and C."""
    rng = np.random.default_rng(5)
    texts, labels = [], []
    for i in range(60):
        rich = i % 2
        p = [0.15, 0.35, 0.35, 0.15] if rich else [0.35, 0.15, 0.15, 0.35]
        texts.append("".join(rng.choice(list("ACGT"), int(rng.integers(10, 21)), p=p)))
        share = sum(base in "GC" for base in texts[-1]) / len(texts[-1])
        labels.append({"regression": str(100 + 20 * share)}.get(problem, "rich" if rich else "poor"))
    columns = {"seq": texts, "label": labels}
    return labelled(Table("t.csv", columns, np.arange(60)), problem=problem)  # type: ignore[arg-type]


def splits(data: Labelled, length: int = 20, **options: Any) -> tuple[LabelledSamples, LabelledSamples]:
    train, valid = hold_out(data, 0, share=0.3)
    make = partial(LabelledSamples, length=length, scale=target_scale(train), **options)
    return make(train, training=True), make(valid)


def headed(outputs: int = 2) -> tuple[Any, Any]:
    """A small model and what reads its outputs."""
    head = finetuning_head(SPEC, outputs)
    return finetuning_model(SPEC, head, seed=2, backend="torch"), partial(class_outputs, head=head)


def by(name: str, problem: str) -> Any:
    return lambda truth, outputs: score(name, Predictions(truth, outputs, problem))  # type: ignore[arg-type]


def run(model: Any, read: Any, folder: Path, **options: Any) -> Tuned:
    data = options.pop("data", rows())
    select = options.pop("select", by("mcc", data.problem))
    settings = options.pop("settings", SETTINGS)
    train, valid = splits(data, **options)
    return tune(model, read, train, valid, settings, folder, select, Signals())


def test_it_learns_and_keeps_the_best_epoch(tmp_path: Path) -> None:
    model, read = headed()
    tuned = run(model, read, tmp_path)
    assert [row["epoch"] for row in tuned.curve] == [1, 2, 3]
    scores = [row["valid/score"] for row in tuned.curve]
    assert tuned.valid == max(s for s in scores if s is not None) > 0.5
    assert tuned.epoch == 1 + scores.index(tuned.valid)
    _, valid = splits(rows())
    said = Predictions(valid.data.labels, predict(model, read, valid), valid.data.problem)
    assert score("mcc", said) == pytest.approx(tuned.valid)
    assert score("log_loss", said) == pytest.approx(tuned.curve[tuned.epoch - 1]["valid/loss"])
    assert read_curve(tmp_path / "curve.csv") == [dict(row) for row in tuned.curve]
    with (tmp_path / "curve.csv").open() as file:
        written = list(csv.DictReader(file))
    assert [float(row["valid/score"]) for row in written] == scores


def test_the_weights_of_the_best_epoch_come_back(tmp_path: Path) -> None:
    answers = iter([0.3, 0.9, 0.9, None, 0.1])
    heads = []
    model, read = headed()

    def select(truth: np.ndarray, outputs: np.ndarray) -> float | None:
        heads.append(model.head.weight.detach().clone())
        return next(answers)

    tuned = run(model, read, tmp_path, select=select, settings=SETTINGS.model_copy(update={"epochs": 5}))
    assert (tuned.epoch, tuned.valid) == (2, 0.9), "of equal ones the first; one that is not defined never"
    assert torch.equal(model.head.weight, heads[1])
    assert not torch.equal(heads[1], heads[4])


def test_a_run_continues_inside_an_epoch(tmp_path: Path) -> None:
    whole, read = headed()
    expected = run(whole, read, tmp_path / "whole")
    data, signals, steps = splits(rows()), Signals(), []

    def stopping(outputs: torch.Tensor) -> Any:
        steps.append(1)
        if torch.is_grad_enabled() and sum(steps) == 11:  # an epoch has 6 steps; 3 more calls validate
            signals.received = signal.SIGTERM
        return read(outputs)

    model, _ = headed()
    select = by("mcc", "single_label_classification")
    with pytest.raises(Stopped, match=r"stopped at step 8 of 18"):
        tune(model, stopping, *data, SETTINGS, tmp_path / "parts", select, signals)
    model, _ = headed()
    found = tune(model, read, *data, SETTINGS, tmp_path / "parts", select, Signals())
    timeless = [{**row, "seconds": 0} for row in found.curve]
    assert timeless == [{**row, "seconds": 0} for row in expected.curve]
    for name, value in whole.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name


def test_a_run_continues_where_it_stopped(tmp_path: Path) -> None:
    whole, read = headed()
    expected = run(whole, read, tmp_path / "whole")
    signals = Signals()
    calls = []

    def select(truth: np.ndarray, outputs: np.ndarray) -> float | None:
        calls.append(1)
        if len(calls) == 2:
            signals.received = signal.SIGTERM
        return by("mcc", "single_label_classification")(truth, outputs)

    model, read = headed()
    data = splits(rows())
    with pytest.raises(Stopped) as stopped:
        tune(model, read, *data, SETTINGS, tmp_path / "parts", select, signals)
    assert stopped.value.code == 128 + signal.SIGTERM
    model, read = headed()
    found = tune(model, read, *data, SETTINGS, tmp_path / "parts", select, Signals())
    assert len(calls) == 3
    timeless = [{**row, "seconds": 0} for row in found.curve]
    assert timeless == [{**row, "seconds": 0} for row in expected.curve]
    assert (found.epoch, found.valid) == (expected.epoch, expected.valid)
    for name, value in whole.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name
    finished, read = headed()
    again = tune(finished, read, *data, SETTINGS, tmp_path / "parts", select, Signals())
    assert (len(calls), again.valid, len(again.curve)) == (3, expected.valid, 3), "nothing is done twice"
    assert torch.equal(finished.head.weight, whole.head.weight)


def test_padding_changes_nothing_in_the_sound_protocol(tmp_path: Path) -> None:
    outputs = []
    for length in (20, 29):
        model, read = headed()
        tuned = run(model, read, tmp_path / str(length), length=length)
        outputs.append((tuned.valid, predict(model, read, splits(rows(), length=length)[1])))
    assert outputs[0][0] == pytest.approx(outputs[1][0])
    assert np.allclose(outputs[0][1], outputs[1][1], atol=1e-4)
    model, read = headed()
    official = [predict(model, read, splits(rows(), length=n, protocol="official")[1]) for n in (20, 29)]
    assert not np.allclose(*official, atol=1e-4), "the authors pool over padding"


def test_numbers_come_back_in_their_own_units(tmp_path: Path) -> None:
    model, read = headed(outputs=1)
    data = rows("regression")
    settings = SETTINGS.model_copy(update={"epochs": 8})
    tuned = run(model, read, tmp_path, data=data, select=by("r2", "regression"), settings=settings)
    assert tuned.valid is not None
    assert tuned.valid > 0.4
    outputs = predict(model, read, splits(data)[1])
    assert 105 < outputs.mean() < 115


def test_the_cnn_is_trained_by_the_same_run(tmp_path: Path) -> None:
    torch.manual_seed(0)
    data = Labelled(**{**vars(rows()), "sequences": [s * 3 for s in rows().sequences]})
    model = CNN(60, 2)
    before = model.body[1].running_mean.clone()  # type: ignore[union-attr,operator]
    tuned = run(model, lambda outputs: outputs, tmp_path, data=data, length=60)
    assert tuned.valid is not None
    assert not torch.equal(model.body[1].running_mean, before)  # type: ignore[arg-type]


def test_a_probe_and_adapters_leave_the_backbone_as_it_was(tmp_path: Path) -> None:
    model, read = headed()
    before = model.weights()
    freeze_backbone(model)
    run(model, read, tmp_path / "probe", settings=SETTINGS.model_copy(update={"epochs": 1}))
    changed = {name for name, value in model.weights().items() if not np.array_equal(value, before[name])}
    assert changed == {"head.weight", "head.bias"}
    model, read = headed()
    add_lora(model, rank=2)
    run(model, read, tmp_path / "lora", settings=SETTINGS.model_copy(update={"epochs": 1}))
    merge_lora(model)
    changed = {name for name, value in model.weights().items() if not np.array_equal(value, before[name])}
    assert {name.rpartition(".")[0].rpartition(".")[2] for name in changed if name.startswith("mixers")} == {
        *("in_proj", "x_proj", "dt_proj", "out_proj")
    }
    assert not any(name.startswith(("embedding", "norm")) for name in changed)


def test_a_loss_that_is_not_finite_ends_the_run_before_the_weights_are_spoiled(tmp_path: Path) -> None:
    model, read = headed()
    settings = SETTINGS.model_copy(update={"checkpoints": Checkpoints(every=1)})
    with pytest.raises(FloatingPointError, match="the loss of step 1 is nan"):
        run(model, lambda outputs: read(outputs) * float("nan"), tmp_path, settings=settings)
    assert all(bool(parameter.isfinite().all()) for parameter in model.parameters())
    assert not list(tmp_path.glob("checkpoints/*"))


def test_the_official_protocol_decays_the_bias_of_the_head(tmp_path: Path) -> None:
    biases = []
    for protocol in ("sound", "official"):
        model, read = headed()
        model.head.bias.data.fill_(50.0)
        optimiser = Optimiser(lr=0.001, weight_decay=100.0)
        settings = SETTINGS.model_copy(update={"epochs": 1, "protocol": protocol, "optimiser": optimiser})
        run(model, read, tmp_path / protocol, settings=settings)
        biases.append(float(model.head.bias.detach().mean()))
    assert biases[0] == pytest.approx(50.0, abs=0.1)
    assert biases[1] < 45.0


def test_the_learning_rate_is_the_authors() -> None:
    """Warm-up of 1 % from 1e-6; meanwhile the cosine is under way, so that it goes on from where it would have been."""
    settings = Tuning(optimiser=Optimiser(lr=2e-3))
    rates = [tuning_rate(step, settings, 1000) for step in range(1001)]
    assert rates[0] == 1e-6
    assert rates[9] == pytest.approx(1e-6 + 9 * (2e-3 - 1e-6) / 10)
    assert rates[10] == pytest.approx(2e-4 + 0.5 * 1.8e-3 * (1 + np.cos(np.pi * 0.01)))
    assert rates[1000] == pytest.approx(2e-4)


@pytest.mark.parametrize(("scheduled", "steps"), [(None, 18), (60, 24)])
def test_a_schedule_of_more_rows_is_not_at_its_end_when_training_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheduled: int | None, steps: int
) -> None:
    rates: list[float] = []
    step = torch.optim.AdamW.step

    def noted(self: Any, *given: Any, **named: Any) -> Any:
        rates.append(self.param_groups[0]["lr"])
        return step(self, *given, **named)

    monkeypatch.setattr(torch.optim.AdamW, "step", noted)
    model, read = headed()
    select = by("mcc", "single_label_classification")
    tune(model, read, *splits(rows()), SETTINGS, tmp_path, select, Signals(), scheduled)
    # 42 rows, 8 a step, 3 epochs
    assert rates == pytest.approx([tuning_rate(i, SETTINGS, steps) for i in range(18)])
