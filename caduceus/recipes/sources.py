"""Data sets that `fetch` brings: where their files are, and what they must hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from caduceus.recipes.errors import Refused, closest, explain
from caduceus.recipes.find import folders
from caduceus.recipes.load import assign, read
from caduceus.train.settings import Settings


class Remote(Settings):
    """A file to fetch.

    Attributes:
        path: where it is kept, below the data folder. Without ``.gz`` where the URL has it, it is unpacked.
        url: http or https.
        sha256: of the file as it is kept; null: taken at the first fetch.
    """

    path: str = Field(pattern=r"^[^/~$][^~$]*$")
    url: str = Field(pattern=r"^https?://")
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")


class Files(Settings):
    """The genome, FASTA, and the intervals, BED."""

    fasta: Remote
    intervals: Remote | None = None

    def by_field(self) -> dict[str, Remote]:
        """Those there are, the genome first; named as in the ``data`` of a recipe."""
        found = {"fasta": self.fasta, "intervals": self.intervals}
        return {field: remote for field, remote in found.items() if remote is not None}


class DataSet(Settings):
    """What `fetch` is told.

    Attributes:
        contigs: name and length in bases of contigs that the genome must hold.
    """

    about: str = ""
    files: Files
    contigs: dict[str, int] = Field(default_factory=dict)


def find_source(name: str) -> Path:
    """The file of a data set: a path, or a name in recipes/sources or among the shipped ones.

    Raises:
        Refused: there is none; the message names the closest.
    """
    if Path(name).is_file():
        return Path(name)
    known: dict[str, Path] = {}
    for folder in folders():
        for path in sorted((folder / "sources").glob("*.yaml")):
            known.setdefault(path.stem, path)
    stem = name.removesuffix(".yaml")
    if stem in known:
        return known[stem]
    raise Refused(f"no data set {name!r} to fetch, neither a file nor a name{closest(stem, known)}")


def load_source(name: str, options: Sequence[str] = ()) -> DataSet:
    """A data set by name or path, with ``options``, each ``path.to.field=value``.

    Raises:
        Refused: there is none, or a field is unknown or holds what it cannot.
    """
    path = find_source(name)
    data = read(path)
    for option in options:
        assign(data, option)
    try:
        return DataSet.model_validate(data)
    except ValidationError as error:
        raise Refused(f"{path}\n{explain(error, DataSet, data)}") from error
