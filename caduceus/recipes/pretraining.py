"""The recipe of pretraining by masked language modelling, as data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from caduceus import zoo
from caduceus.parts import MaskedLM, Model
from caduceus.recipes.errors import Refused
from caduceus.recipes.find import data_path
from caduceus.recipes.run_dir import RunFolder
from caduceus.recipes.schema import Recipe, Results
from caduceus.recipes.sizes import expanded
from caduceus.recipes.sources import find_source, load_source
from caduceus.spec import parse_spec
from caduceus.train.settings import Settings, Training

BUNDLED = "ecoli-k12"


class Data(Settings):
    """What is read.

    Attributes:
        fasta: the genome: a path, or "ecoli-k12", which the package holds. Paths are also looked for in CADUCEUS_DATA.
        intervals: a BED file of contig, start, end and split; null: each contig is cut into train, valid and test.
        valid, test: shares of a contig, without ``intervals``.
        length: tokens of a sequence.
        mask: probability that a base is to be predicted.
        train_mask: the same in training, where it may differ from that of the tests; null: ``mask``.
        rc: read half of the training samples on the reverse strand; null: for `ph` models, not for `ps` and `none`.
        repeat_weight: weight in the loss of soft-masked (lower-case) bases.
        sources: the data set that brings the files, by ``fetch``.
    """

    fasta: str
    intervals: str | None = None
    valid: float = Field(default=0.05, gt=0, lt=1)
    test: float = Field(default=0.05, gt=0, lt=1)
    length: int = Field(gt=0)
    mask: float = Field(default=0.15, gt=0, le=1)
    train_mask: float | None = Field(default=None, gt=0, le=1)
    rc: bool | None = None
    repeat_weight: float = Field(default=1.0, ge=0)
    sources: str | None = None

    @field_validator("sources")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                find_source(name)
            except Refused as error:
                raise ValueError(str(error)) from error
        return name


class Context(Settings):
    """The counting models that the result is set beside.

    Attributes:
        one_sided, two_sided: numbers of bases of context, before, or on each side.
        bases: of the training intervals that are counted, at most.
    """

    one_sided: tuple[int, ...] = (5,)
    two_sided: tuple[int, ...] = (3, 4)
    bases: int = Field(default=100_000_000, gt=0)


class Pretraining(Training, Recipe):
    """Masked language modelling on a genome.

    Attributes:
        size: one of the paper's runs by name; sets model, data.length, batch.tokens and max_steps where not given.
        model: a name of `caduceus.zoo`, or the fields of a `parts.Model` with a masked-LM head.
        equivariance: ps, ph or none, in place of the model's own; null keeps it.
    """

    in_ranks = True

    task: Literal["pretrain"]
    model: str | dict[str, Any]
    equivariance: Literal["ps", "ph", "none"] | None = None
    data: Data
    context: Context = Context()

    @model_validator(mode="before")
    @classmethod
    def _size(cls, data: Any) -> Any:
        return expanded(data) if isinstance(data, dict) else data

    @field_validator("model")
    @classmethod
    def _resolved(cls, given: str | dict[str, Any]) -> str | dict[str, Any]:
        """A spec with every field, so that the resolved recipe says everything; a name stays a name."""
        spec = language_model(given, "pretraining")
        return given if isinstance(given, str) else spec.to_dict()

    @model_validator(mode="after")
    def _equivariance_fits(self) -> Pretraining:
        self.spec  # noqa: B018  raises if the model cannot be so
        return self

    @property
    def spec(self) -> Model:
        """The model's spec."""
        spec = language_model(self.model, "pretraining")
        if self.equivariance is None:
            return spec
        return Model.model_validate({**spec.to_dict(), "equivariance": self.equivariance})

    @property
    def reverses(self) -> bool:
        """Whether half of the training samples are read on the reverse strand."""
        return self.spec.equivariance == "ph" if self.data.rc is None else self.data.rc

    def files(self) -> dict[str, str]:
        """The data files by field; Refused says which are missing and how to get them."""
        wanted = {"fasta": self.data.fasta, "intervals": self.data.intervals}
        found: dict[str, str] = {}
        missing: dict[str, str] = {}
        for field, given in wanted.items():
            if given is None:
                continue
            path = _bundled() if given == BUNDLED else data_path(given)
            if path is None:
                missing[field] = given
            else:
                found[field] = str(path)
        if missing:
            raise Refused("\n".join(self._how_to_get(missing)))
        return found

    def _how_to_get(self, missing: dict[str, str]) -> Iterable[str]:
        yield f"{self.name} needs files that are not here: {', '.join(missing.values())}"
        if self.data.sources is not None:
            remotes = load_source(self.data.sources).files.by_field()
            yield f"Bring them by: python -m caduceus.recipes fetch {self.data.sources}"
            yield from (f"  {missing[field]}: {remotes[field].url}" for field in missing if field in remotes)
        options = " ".join(f"--set data.{field}=PATH" for field in missing)
        yield f"If you have them, point to them: {options}"
        yield "or put them under those names into the folder that the environment variable CADUCEUS_DATA names."

    def check(self) -> None:
        from caduceus.recipes.pretrain import check

        check(self)

    def run(self, folder: RunFolder) -> Results:
        files = self.files()
        from caduceus.recipes.pretrain import run

        return run(self, files, folder)

    def summary(self, folder: RunFolder, results: Results) -> str:
        from caduceus.recipes.summary import table

        return table(self, folder, results)


def language_model(given: str | dict[str, Any], what: str) -> Model:
    """The spec that a recipe gives by name or by fields; ``what`` is what needs it, for the message."""
    spec = zoo.spec(given) if isinstance(given, str) else parse_spec(given)
    if not isinstance(spec, Model) or not isinstance(spec.head, MaskedLM):
        raise ValueError(f"{what} takes a model with a masked-LM head: give head: {{kind: masked_lm}}")
    return spec


def _bundled() -> Any:
    from caduceus.data import ecoli_path

    return ecoli_path()
