"""What `check` and `run` of a pretraining recipe share: build, assert, plan; then read the data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from caduceus.backends.registry import BackendUnavailable
from caduceus.construct import build
from caduceus.data import Genome, Intervals, MaskedLMData, cut_windows
from caduceus.recipes.errors import Refused
from caduceus.recipes.pretraining import Pretraining
from caduceus.train.bar import say
from caduceus.train.batches import BatchPlan, plan_batches
from caduceus.train.fit import world_size
from caduceus.train.loggers import require_loggers
from caduceus.train.machine import kernels, use_threads
from caduceus.train.mode import set_mode
from caduceus.train.properties import assert_declared

# Validation and test always ask the same questions, whatever the seed of the training.
HELD_OUT_SEED = 0


@dataclass(frozen=True)
class Splits:
    """The genome, and the samples of each split; where the intervals have no test split, validation serves as test."""

    genome: Genome
    train: MaskedLMData
    valid: MaskedLMData
    test: MaskedLMData


@contextmanager
def refusing() -> Iterator[None]:
    """What is wrong with the input is `Refused`."""
    try:
        yield
    except (ValueError, FileNotFoundError, ModuleNotFoundError, BackendUnavailable) as error:
        raise Refused(str(error)) from error


def prepared_model(recipe: Pretraining) -> tuple[Any, BatchPlan]:
    """The model, built and with its declared properties asserted, and how a step is cut.

    Raises:
        Refused: the recipe asks for what this machine does not have. AssertionError: a declared property does not hold.
    """
    use_threads(recipe.threads)
    with refusing():
        computing = kernels(recipe.backend, recipe.accelerator)
        if computing.name == "reference":
            raise Refused("backend is 'reference', which does not train; give backend auto or torch")
        plan = plan_batches(recipe.batch, recipe.data.length, world_size(recipe))
        require_loggers(recipe)
        model = build(recipe.spec, backend=computing, seed=recipe.seed)
        set_mode(model, computing, recipe)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    say(f"{recipe.name}: {recipe.about}" if recipe.about else recipe.name)
    say(f"model  {parameters:,} parameters, {recipe.spec.equivariance}, {computing.name} backend")
    with refusing():
        lines = assert_declared(model)
    for line in lines:
        say(f"       {line}")
    return model, plan


def read_intervals(recipe: Pretraining, files: dict[str, str], genome: Genome) -> Intervals:
    """The intervals of the recipe, or those of whole contigs."""
    if "intervals" not in files:
        return Intervals.of_genome(genome, valid=recipe.data.valid, test=recipe.data.test)
    intervals = Intervals.read(files["intervals"])
    intervals.check(genome)
    return intervals


def read_data(recipe: Pretraining, files: dict[str, str]) -> Splits:
    """Open the genome and cut its windows; Refused says what is wrong with the files."""
    with refusing():
        genome = Genome(files["fasta"])
        intervals = read_intervals(recipe, files, genome)
        counts = ", ".join(f"{split} {count:,}" for split, count in intervals.counts().items())
        say(f"data   {files['fasta']}: {sum(genome.contigs.values()):,} bases; intervals: {counts}")
        test = "test" if "test" in intervals.counts() else "valid"
        train, valid, test_data = (_samples(recipe, genome, intervals, split) for split in ("train", "valid", test))
        for data in (train, valid, test_data):
            say(f"data   {data.windows.report}")
        _check_repeats(recipe, train)
    return Splits(genome, train, valid, test_data)


def _check_repeats(recipe: Pretraining, train: MaskedLMData) -> None:
    if recipe.data.repeat_weight != 1.0 and not train.windows.report.letters_lower:
        raise ValueError(
            f"data.repeat_weight is {recipe.data.repeat_weight:g}, but no letter of the training windows is lower "
            "case: the genome is not soft-masked; give one that is, or leave repeat_weight at 1"
        )


def _samples(recipe: Pretraining, genome: Genome, intervals: Intervals, split: str) -> MaskedLMData:
    windows = cut_windows(intervals, genome, split, recipe.data.length, recipe.protocol)
    training = split == "train"
    return MaskedLMData(
        genome,
        windows,
        seed=recipe.seed if training else HELD_OUT_SEED,
        rc=recipe.reverses,
        n_as=recipe.spec.n_as,
        rate=recipe.data.train_mask if training and recipe.data.train_mask is not None else recipe.data.mask,
        repeat_weight=recipe.data.repeat_weight,
    )
