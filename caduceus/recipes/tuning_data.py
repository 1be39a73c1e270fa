"""The splits of a labelled task: read, checked against each other, and what repeats between them counted."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from caduceus.data import Genome, Labelled, Repeats, find_repeats, labelled
from caduceus.data.holding_out import Way, hold_out
from caduceus.data.labels import ClassOrder
from caduceus.evaluate.catalogue import suite
from caduceus.recipes.tuning_files import class_names, split_table, task_path
from caduceus.recipes.tuning_task import TaskFiles
from caduceus.train.settings import Protocol


@dataclass(frozen=True, eq=False)
class TaskData:
    """The splits of a task.

    Attributes:
        train, valid, test: without a file for validation, ``valid`` is a part of the training file.
        repeats: which rows of test are in train or valid too.
        length: positions of a sample.
        whole: the training file, of which ``valid`` is a part; None if validation has a file.
        way: how that part is drawn.
        anew: whether each seed draws its own part, as the authors do.
        seeds: that do; what is told of validation is told of their parts.
    """

    train: Labelled
    valid: Labelled
    test: Labelled
    repeats: Repeats
    length: int
    whole: Labelled | None
    way: Way
    anew: bool
    seeds: tuple[int, ...] = ()

    def for_seed(self, seed: int) -> TaskData:
        """What is trained and validated on with this seed."""
        if self.whole is None or not self.anew:
            return self
        train, valid = hold_out(self.whole, seed, way=self.way)
        return replace(self, train=train, valid=valid, anew=False)

    @property
    def drawn(self) -> tuple[int, ...]:
        """The seeds that each validate on another part; none where one part is for all."""
        return self.seeds if self.whole is not None and self.anew else ()

    @cached_property
    def valid_repeats(self) -> dict[str, int]:
        """How many rows of validation are in training too; of all seeds together, where each draws its own part."""
        found: Counter[str] = Counter()
        for part in map(self.for_seed, self.drawn) if self.drawn else (self,):
            found.update(_repeats(part.valid.sequences, part.train.sequences, self.length).counts())
        return dict(found)

    @cached_property
    def tested(self) -> str:
        """The sha256 of the test split: sequences, labels and classes."""
        digest = hashlib.sha256("\0".join(self.test.classes).encode())
        for sequence in self.test.sequences:
            digest.update(f"\n{sequence}".encode())
        digest.update(self.test.labels.tobytes())
        return digest.hexdigest()

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the result should know of the data, a line each."""
        return (*self._of_splits(), *self._of_repeats())

    def _of_splits(self) -> Iterator[str]:
        told = [("train", self.train), ("valid", self.valid), ("test", self.test)]
        if self.drawn and self.whole is not None:
            told = [("train and valid", self.whole), ("test", self.test)]
        for name, split in told:
            yield from (f"{name}: {note.removeprefix(f'{split.table.source}: ')}" for note in split.notes(self.length))
        for seed in self.drawn:
            part = self.for_seed(seed)
            for name, split in (("train", part.train), ("valid", part.valid)):
                if absent := [each for each, count in split.counts().items() if not count]:
                    yield f"{name} of seed {seed}: no row of class {', '.join(map(repr, absent))}"

    def _of_repeats(self) -> Iterator[str]:
        together = ", of all seeds together," if self.drawn else ""
        for name, counts in (("test", self.repeats.counts()), ("valid", self.valid_repeats)):
            if counts["exact"] or counts["reverse"]:
                what, where = ("", "training or validation") if name == "test" else (together, "training")
                yield (
                    f"{counts['exact']} of {counts['of']:,} {name} sequences{what} are in {where} too, "
                    f"{counts['reverse']} more as their reverse complement"
                )


def read_task(files: TaskFiles, protocol: Protocol, seed: int, seeds: Sequence[int] = ()) -> TaskData:
    """Read a task.

    Args:
        seed: of the part held out for validation, where there is no file for it.
        seeds: that train, for what is told of validation where each draws its own part.

    Raises:
        FileNotFoundError, ValueError: what is wrong with the files, and where.
    """
    genome = None if files.genome is None else Genome(task_path(files, "genome"))
    # The authors number classes as their folders are listed, and take the numbers of a table as they are.
    listed = protocol == "official" and task_path(files, "train").is_dir()
    order: ClassOrder = "listed" if listed else "sorted"
    table = split_table(files, "train", genome, order)
    names = class_names(files, table, order)
    columns: dict[str, Any] = {"sequence": files.sequence, "label": files.label}
    train = labelled(table, problem=files.problem, classes=names, order=order, **columns)
    test = labelled(split_table(files, "test", genome, order), like=train, **columns)
    way, whole = _way(files, protocol), None
    if files.valid is not None:
        valid = labelled(split_table(files, "valid", genome, order), like=train, **columns)
    else:
        whole = train
        train, valid = hold_out(whole, seed, way=way)
    longest = int(max(train.lengths().max(), valid.lengths().max(), test.lengths().max()))
    # The authors pad to the full length, and pool over it; with masks no more than the longest is needed.
    full = protocol == "official" and files.max_length
    length = full or min(longest, files.max_length or longest)
    return TaskData(
        train=train,
        valid=valid,
        test=test,
        repeats=_repeats(test.sequences, [*train.sequences, *valid.sequences], length),
        length=length,
        whole=whole,
        way=way,
        anew=protocol == "official",
        seeds=tuple(seeds),
    )


def _repeats(sequences: Sequence[str], others: Sequence[str], length: int) -> Repeats:
    """Whole sequences that are the same, and those that are so once both are cut to what a model reads of them."""
    whole = find_repeats(sequences, others)
    if max(map(len, (*sequences, *others))) <= length:
        return whole
    read = find_repeats([sequence[:length] for sequence in sequences], [sequence[:length] for sequence in others])
    exact = whole.exact | read.exact
    return Repeats(exact, (whole.reverse | read.reverse) & ~exact)


def _way(files: TaskFiles, protocol: Protocol) -> Way:
    """How a part is held out for validation: the authors draw it at random, by other means for each suite."""
    if protocol == "sound":
        return "stratified"
    official = None if files.suite is None else suite(files.suite).official
    return "torch" if official is None else official.validation


def without_repeats(data: TaskData) -> np.ndarray:
    """Rows of the test split that are in no other one (n,) bool."""
    kept: np.ndarray = ~data.repeats.either
    return kept
