"""The networks of a fine-tuning run: built, their declared properties asserted, and kept once they are trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from caduceus.alphabet import BASES
from caduceus.checkpoint import load_pretrained, save_pretrained
from caduceus.checkpoint.finetuning import (
    CONJOINING,
    Mode,
    class_outputs,
    default_conjoining,
    finetuning_head,
    finetuning_model,
    freeze_backbone,
)
from caduceus.data.finetuning import LabelledSamples, target_scale
from caduceus.evaluate.cnn import CNN
from caduceus.nn.lora import add_lora, assert_adapters_learn, merge_lora
from caduceus.parts import Model
from caduceus.recipes.errors import Refused, closest
from caduceus.recipes.finetuning import Finetuning
from caduceus.recipes.run_dir import MODEL, json_text
from caduceus.recipes.tuning_data import TaskData
from caduceus.recipes.tuning_task import TaskFiles
from caduceus.train.files import written_whole
from caduceus.train.machine import kernels
from caduceus.train.properties import assert_declared
from caduceus.train.tune import predict
from caduceus.zoo import names

OUTPUTS = "outputs.json"
_PROBE = 24
"""Bases on which adapters are asked for their gradient."""


@dataclass(frozen=True)
class Base:
    """The network of a run, and its trained weights if it has any."""

    spec: Model
    weights: dict[str, np.ndarray] | None
    kernels: Any


@dataclass(frozen=True)
class Network:
    """What is trained.

    Attributes:
        read: (B, classes) out of what the model returns.
        mode: what is done about the reverse strand.
    """

    model: Any
    read: Callable[[Any], Any]
    mode: Mode


def load_base(recipe: Finetuning) -> Base:
    """The network that every job begins with.

    Raises:
        Refused: the backend does not train, or there is no such model.
    """
    computing = kernels(recipe.backend, recipe.accelerator)
    if computing.name == "reference":
        raise Refused("backend is 'reference', which does not train; give backend auto or torch")
    if recipe.pretrained is None:
        return Base(recipe.spec(), None, computing)
    try:
        model: Any = load_pretrained(str(Path(recipe.pretrained).expanduser()), backend=computing)
    except FileNotFoundError as error:
        raise Refused(
            f"model is {recipe.pretrained!r}, neither the folder of a trained model nor the name of a network"
            f"{closest(recipe.pretrained, names())}\n{error}"
        ) from error
    return Base(model.spec, model.weights(), computing)


def network(recipe: Finetuning, files: TaskFiles, data: TaskData, base: Base, arm: str, seed: int) -> Network:
    """What ``arm`` trains on a task, before training."""
    spec, outputs = base.spec, len(data.train.classes)
    if arm == "cnn":
        return Network(CNN(max(data.length, CNN.shortest), outputs, seed=seed), _as_it_is, CONJOINING["none"])
    conjoining = recipe.conjoining or default_conjoining(spec, files.readout)
    head = finetuning_head(spec, outputs, readout=files.readout, conjoining=conjoining, pooling=recipe.pooling)
    weights = base.weights if arm == "model" else None
    model = finetuning_model(spec, head, weights, seed=seed, backend=base.kernels)
    if recipe.tuned == "probe":
        freeze_backbone(model)
    if recipe.tuned == "lora":
        add_lora(model, rank=recipe.adapters.rank, alpha=recipe.adapters.alpha, seed=seed)
    return Network(model, partial(class_outputs, head=head), CONJOINING[conjoining])


def assert_as_declared(recipe: Finetuning, files: TaskFiles, data: TaskData, base: Base) -> tuple[int, list[str]]:
    """Check what a task trains before any training.

    Returns:
        Its parameters, and a line for each property that holds.

    Raises:
        AssertionError: a declared property does not hold. ValueError: an adapter would not learn.
        RuntimeError: the CNN cannot read sequences of this length.
    """
    if "cnn" in recipe.arms:
        baseline = network(recipe, files, data, base, "cnn", recipe.seeds[0])
        predict(baseline.model, baseline.read, LabelledSamples(data.valid.take(np.arange(1)), data.length))
    model = network(recipe, files, data, base, "model", recipe.seeds[0]).model
    lines = assert_declared(model)
    if recipe.tuned == "lora":
        assert_adapters_learn(model, np.random.default_rng(0).choice(BASES, (2, _PROBE)))
        lines.append("adapters: every one gets a gradient")
        merge_lora(model)
    return sum(parameter.numel() for parameter in model.parameters()), lines


def keep_model(trained: Network, folder: Path, files: TaskFiles, data: TaskData, tuned: str) -> None:
    """Write ``model/``, which `load_pretrained` reads, and ``outputs.json``: what each output of it stands for."""
    if tuned == "lora":
        merge_lora(trained.model)
    save_pretrained(trained.model.eval(), folder / MODEL)
    told: dict[str, Any] = {
        "problem": files.problem,
        "classes": list(data.train.classes),
        "readout": files.readout,
        "length": data.length,
    }
    if (scale := target_scale(data.train)) is not None:
        told["mean"], told["deviation"] = (each.tolist() for each in scale)
    with written_whole(folder / OUTPUTS) as file:
        file.write(json_text(told).encode())


def _as_it_is(outputs: Any) -> Any:
    return outputs
