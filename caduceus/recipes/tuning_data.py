"""The splits of a labelled task: read, checked against each other, and what repeats between them counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from caduceus.data import Genome, Labelled, Repeats, Table, find_repeats, from_coordinates, labelled, read_table
from caduceus.data.class_folders import read_class_folder
from caduceus.data.holding_out import Way, hold_out
from caduceus.evaluate.catalogue import fetch, suite
from caduceus.recipes.find import data_path
from caduceus.recipes.tuning_task import TaskFiles
from caduceus.train.settings import Protocol

HUB = "hub"


@dataclass(frozen=True, eq=False)
class TaskData:
    """The splits of a task.

    Attributes:
        train, valid, test: without a file for validation, ``valid`` is a part of the training file.
        repeats: which rows of test are in train or valid too.
        valid_repeats: how many rows of valid are in train too.
        length: positions of a sample.
        whole: the training file, of which ``valid`` is a part; None if validation has a file.
        way: how that part is drawn.
        anew: whether each seed draws its own part, as the authors do.
    """

    train: Labelled
    valid: Labelled
    test: Labelled
    repeats: Repeats
    valid_repeats: dict[str, int]
    length: int
    whole: Labelled | None
    way: Way
    anew: bool

    def for_seed(self, seed: int) -> TaskData:
        """What is trained and validated on with this seed."""
        if self.whole is None or not self.anew:
            return self
        train, valid = hold_out(self.whole, seed, way=self.way)
        return replace(self, train=train, valid=valid, valid_repeats=_counted(valid, train))

    def notes(self) -> Iterator[str]:
        """What a reader of the result should know of the data, a line each."""
        for name, split in (("train", self.train), ("valid", self.valid), ("test", self.test)):
            yield from (f"{name}: {note.removeprefix(f'{split.table.source}: ')}" for note in split.notes(self.length))
        for name, counts in (("test", self.repeats.counts()), ("valid", self.valid_repeats)):
            if counts["exact"] or counts["reverse"]:
                where = "training or validation" if name == "test" else "training"
                yield (
                    f"{counts['exact']} of {counts['of']:,} {name} sequences are in {where} too, "
                    f"{counts['reverse']} more as their reverse complement"
                )


def read_task(files: TaskFiles, protocol: Protocol, seed: int) -> TaskData:
    """Read a task.

    Args:
        seed: of the part held out for validation, where there is no file for it.

    Raises:
        FileNotFoundError, ValueError: what is wrong with the files, and where.
    """
    genome = None if files.genome is None else Genome(task_path(files, "genome"))
    # The authors number classes as their folders are listed, and take the numbers of a table as they are.
    listed = protocol == "official" and task_path(files, "train").is_dir()
    train = labelled(
        _table(files, "train", genome, protocol),
        problem=files.problem,
        sequence=files.sequence,
        label=files.label,
        classes=files.classes,
        order="listed" if listed else "sorted",
    )

    def like(split: str) -> Labelled:
        table = _table(files, split, genome, protocol)
        return labelled(table, sequence=files.sequence, label=files.label, like=train)

    test, way, whole = like("test"), _way(files, protocol), None
    if files.valid is not None:
        valid = like("valid")
    else:
        whole = train
        train, valid = hold_out(whole, seed, way=way)
    longest = int(max(train.lengths().max(), valid.lengths().max(), test.lengths().max()))
    return TaskData(
        train=train,
        valid=valid,
        test=test,
        repeats=find_repeats(test.sequences, [*train.sequences, *valid.sequences]),
        valid_repeats=_counted(valid, train),
        # The authors pad to the full length, and pool over it; with masks no more than the longest is needed.
        length=files.max_length
        if protocol == "official" and files.max_length
        else min(longest, files.max_length or longest),
        whole=whole,
        way=way,
        anew=protocol == "official",
    )


def _counted(split: Labelled, others: Labelled) -> dict[str, int]:
    return find_repeats(split.sequences, others.sequences).counts()


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


def _table(files: TaskFiles, split: str, genome: Genome | None, protocol: Protocol) -> Table:
    path = task_path(files, split)
    if path.is_dir():
        return read_class_folder(
            path, genome, order="listed" if protocol == "official" else "sorted", partial=files.partial
        )
    table = read_table(path).where(files.where)
    if files.coordinates is None:
        return table
    if genome is None:
        raise ValueError("coordinates: give the genome too that they are cut from")
    return from_coordinates(table, genome, files.coordinates, partial=files.partial)


def task_path(files: TaskFiles, field: str) -> Path:
    """The file or folder that a field stands for."""
    given = getattr(files, field)
    found = data_path(given, folders=True)
    if files.suite is not None and field in ("train", "valid", "test"):
        name = "dev" if field == "valid" else field
        if given == HUB and found is None:
            return fetch(files.suite, str(files.of), name)
        return suite(files.suite).find(str(files.of), name, found or Path(given))
    if found is None:
        raise FileNotFoundError(
            f"no file {given}, neither from here nor in the folder that the environment variable CADUCEUS_DATA names"
        )
    return found
