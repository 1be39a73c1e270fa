"""The files of a task: where they lie, the rows in them, and what their classes are called."""

from __future__ import annotations

from pathlib import Path

from caduceus.data import Genome, Table, from_coordinates, read_table
from caduceus.data.class_folders import read_class_folder
from caduceus.data.labels import LABEL_COLUMNS, ClassOrder, class_order
from caduceus.evaluate.catalogue import fetch, suite
from caduceus.recipes.find import data_path
from caduceus.recipes.tuning_task import TaskFiles

HUB = "hub"


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


def split_table(files: TaskFiles, split: str, genome: Genome | None, order: ClassOrder) -> Table:
    """The rows of a split.

    Args:
        order: of the classes of a class folder.
    """
    path = task_path(files, split)
    if path.is_dir():
        return read_class_folder(path, genome, order=order, partial=files.partial)
    table = read_table(path).where(files.where)
    if files.coordinates is None:
        return table
    if genome is None:
        raise ValueError("coordinates: give the genome too that they are cut from")
    return from_coordinates(table, genome, files.coordinates, partial=files.partial)


def class_names(files: TaskFiles, table: Table, order: ClassOrder) -> tuple[str, ...] | None:
    """The classes in the order of their ids, as `labelled` takes them; None: those that the table holds, in ``order``.

    A table of a suite may hold the ids in place of the names; they stay numbers.

    Raises:
        ValueError: the table of a suite holds other classes than the suite has.
    """
    if files.suite is None or files.classes is None or files.problem != "single_label_classification":
        return files.classes
    cells = table.columns[table.column(files.label or LABEL_COLUMNS, "label")]
    found = [name for name in class_order([cell.strip() for cell in cells], "listed") if name]
    ids = tuple(map(str, range(len(files.classes))))
    unknown = [name for name in found if name not in files.classes]
    if unknown and set(found) <= set(ids):
        return ids
    if unknown:
        raise ValueError(
            f"{table.source} has the classes {', '.join(found)}, but {files.of} of {files.suite} has "
            f"{', '.join(files.classes)}; put the files of the suite there, or give tasks.{files.of}.classes"
        )
    if order == "sorted":
        return files.classes
    return tuple(sorted(files.classes, key=lambda name: found.index(name) if name in found else len(found)))
