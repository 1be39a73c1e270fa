"""What config.json of the official classes means, as a spec (docs/published_models.md 1 and 2.10).

Fields that change nothing about the function (`torch_dtype`, `auto_map`, whatever else a Hugging Face config carries)
are ignored; a value of a known field that is not understood is an error.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from caduceus.alphabet import TOKENS, Alphabet, dna
from caduceus.parts import BiMamba, Embedding, Mamba, MaskedLM, Model, Norm, SequenceClassifier
from caduceus.parts.heads import Head, ProblemType

# Of the authors' classifier; ours pools the centre too.
PublishedPooling = Literal["mean", "max", "first", "last"]
_STRATEGY: dict[str | None, Literal["add", "multiply"]] = {None: "add", "add": "add", "ew_multiply": "multiply"}
CELL_FIELDS = tuple(name for name in Mamba.model_fields if name not in ("d_model", "direction"))


def default_n_as(head: Head | None) -> Literal["pad", "n"]:
    """How the official data path feeds an N: as [PAD] in pretraining, as N elsewhere."""
    return "pad" if isinstance(head, MaskedLM) else "n"


class Initializer(BaseModel):
    """`initializer_cfg`, with the defaults of the authors' code."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    initializer_range: float = 0.02
    rescale_prenorm_residual: bool = True
    n_residuals_per_layer: int = 1


class Config(BaseModel):
    """The fields of config.json that say what a model computes; defaults are those of the official constructor.

    The last two are this library's, written only where they differ from what a reader would assume.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, title="config.json")

    model_type: Literal["caduceus"] = "caduceus"
    architectures: tuple[str, ...] | None = None
    d_model: int = Field(default=2560, gt=0)
    n_layer: int = Field(default=64, gt=0)
    vocab_size: int = Field(default=50277, gt=0)
    pad_vocab_size_multiple: int = Field(default=8, gt=0)
    ssm_cfg: dict[str, Any] = Field(default_factory=dict)
    rms_norm: bool = True
    norm_epsilon: float = 1e-5
    residual_in_fp32: bool = True
    fused_add_norm: bool = True
    initializer_cfg: Initializer = Field(default_factory=Initializer)
    bidirectional: bool = True
    bidirectional_strategy: Literal["add", "ew_multiply"] | None = "add"
    bidirectional_weight_tie: bool = True
    rcps: bool = False
    complement_map: dict[int, int] | None = None
    tie_word_embeddings: bool = True
    num_labels: int | None = Field(default=None, gt=0)
    id2label: dict[Any, Any] | None = None
    problem_type: ProblemType | None = None
    pooling_strategy: PublishedPooling = "mean"
    conjoin_train: bool = False
    conjoin_eval: bool = False
    equivariance: Literal["none"] | None = None
    n_as: Literal["pad", "n"] | None = None

    @field_validator("ssm_cfg", "initializer_cfg", mode="before")
    @classmethod
    def _none_is_empty(cls, value: Any) -> Any:
        return {} if value is None else value

    @field_validator("ssm_cfg")
    @classmethod
    def _known_fields(cls, value: dict[str, Any]) -> dict[str, Any]:
        if unknown := sorted(set(value) - {*CELL_FIELDS, "use_fast_path"}):
            raise ValueError(f"has fields {unknown}, expected any of {[*CELL_FIELDS, 'use_fast_path']}")
        return value

    @property
    def alphabet(self) -> Alphabet:
        """The vocabulary as padded, ids without an entry complementing to themselves; without a map DNA's."""
        size = self.vocab_size + -self.vocab_size % self.pad_vocab_size_multiple
        if self.complement_map is None and self.rcps:
            raise ValueError("config.json: complement_map is missing, expected one with rcps true")
        try:
            return dna(size) if self.complement_map is None else Alphabet.from_map(self.complement_map, size)
        except ValueError as error:
            raise ValueError(f"config.json: {error}") from error

    @property
    def labels(self) -> int | None:
        """How many labels the config speaks of; None if it does not."""
        return len(self.id2label) if self.id2label is not None else self.num_labels

    def classifier(self, num_labels: int | None = None) -> SequenceClassifier:
        """The classifier that the config describes; with ``num_labels`` rows, if given."""
        conjoin = "always" if self.conjoin_train else "eval" if self.conjoin_eval else "none"
        return SequenceClassifier(
            num_labels=num_labels or self.labels or 2,
            pooling=self.pooling_strategy,
            problem_type=self.problem_type,
            conjoin="none" if self.rcps else conjoin,
        )

    def spec(self, head: Head | None) -> Model:
        """The model with ``head``, every layer as the file names it: what a fused ps file hides is not undone."""
        alphabet = self.alphabet
        cell = Mamba.model_validate({k: v for k, v in self.ssm_cfg.items() if k in CELL_FIELDS})
        mixer: Mamba | BiMamba = cell
        if self.bidirectional:
            tie: Literal["projections", "none"] = "projections" if self.bidirectional_weight_tie else "none"
            mixer = BiMamba(mamba=cell, fusion=_STRATEGY[self.bidirectional_strategy], tie=tie)
        return Model(
            equivariance="ps" if self.rcps else self.equivariance or "ph",
            embedding=Embedding(
                d_model=self.d_model,
                vocab_size=alphabet.size,
                complement_map=_map_of(alphabet),
                initializer_range=self.initializer_cfg.initializer_range,
            ),
            mixers=(mixer,) * self.n_layer,
            norm=Norm(kind="rms" if self.rms_norm else "layer", eps=self.norm_epsilon),
            head=head,
            residual_in_fp32=self.residual_in_fp32,
            n_as=self.n_as or default_n_as(head),
            rescale_prenorm_residual=self.initializer_cfg.rescale_prenorm_residual,
            n_residuals_per_layer=self.initializer_cfg.n_residuals_per_layer,
        )


def _map_of(alphabet: Alphabet) -> dict[int, int] | None:
    """The complement map as an embedding's spec says it: None is DNA's."""
    is_dna = alphabet.size >= len(TOKENS) and alphabet == dna(alphabet.size)
    return None if is_dna else dict(enumerate(alphabet.complement))
