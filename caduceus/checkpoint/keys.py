"""Which official key holds which weight, in the order of the official state dict (docs/published_models.md 5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from caduceus.alphabet import Alphabet
from caduceus.parts import BiMamba, MaskedLM, Model

PREFIX = "caduceus."
_CELL = (
    ("A_log", "A_log"),
    ("D", "D"),
    ("in_proj.weight", "in_proj.weight"),
    ("in_proj.bias", "in_proj.bias"),
    ("conv1d.weight", "conv1d.weight"),
    ("conv1d.bias", "conv1d.bias"),
    ("x_proj.weight", "x_proj.weight"),
    ("dt_proj.weight", "dt_proj.weight"),
    ("dt_proj.bias", "dt_bias"),
    ("out_proj.weight", "out_proj.weight"),
    ("out_proj.bias", "out_proj.bias"),
)


@dataclass(frozen=True)
class Entry:
    """One key of an official state dict: the weight whose values it holds, or None for a complement map.

    The official convolution has a middle axis of length 1; every other tensor has the shape of the weight.
    """

    key: str
    weight: str | None
    shape: tuple[int, ...]

    @property
    def is_convolution(self) -> bool:
        return self.weight is not None and self.weight.endswith("conv1d.weight")

    def to_file(self, value: Any) -> Any:
        return value[:, None] if self.is_convolution else value

    def from_file(self, value: Any) -> Any:
        return value[:, 0] if self.is_convolution else value


def entries(spec: Model, fused: bool, prefix: str | None = None) -> list[Entry]:
    """Every official key of a model, tied duplicates too.

    Args:
        spec: as an official file holds it: every layer alike and walking forward.
        fused: whether it is stored for `fused_add_norm`; names the norms of a ps model.
        prefix: before the backbone's keys; if not given, that of the class: none without a head, else ``caduceus.``
    """
    prefix = (PREFIX if spec.head is not None else "") if prefix is None else prefix
    weights = spec.weights()
    found = []
    for key, name in _pairs(spec, fused, prefix):
        if name is None:
            found.append(Entry(key, None, (spec.embedding.alphabet.size,)))
        elif name in weights:
            owner, shape = weights[name].tied_to or name, weights[name].shape
            found.append(Entry(key, owner, (shape[0], 1, shape[1]) if name.endswith("conv1d.weight") else shape))
    return found


def stored(spec: Model, fused: bool) -> list[Entry]:
    """The keys that a published file holds: a tied tensor once, under its first name."""
    seen: set[str] = set()
    kept = []
    for entry in entries(spec, fused):
        if entry.weight is None or entry.weight not in seen:
            kept.append(entry)
        if entry.weight is not None:
            seen.add(entry.weight)
    return kept


def _pairs(spec: Model, fused: bool, prefix: str) -> Iterator[tuple[str, str | None]]:
    ps = spec.equivariance == "ps"
    wrapped = "submodule." if ps and not fused else ""
    words = f"{prefix}backbone.embeddings.word_embeddings."
    if ps:
        yield f"{words}complement_map", None
    yield f"{words}{'embedding.' if ps else ''}weight", "embedding.weight"
    for i, mixer in enumerate(spec.mixers):
        layer = f"{prefix}backbone.layers.{i}."
        for way in ("fwd", "rev") if isinstance(mixer, BiMamba) else ("fwd",):
            mine = f"mixers.{i}.{way}." if isinstance(mixer, BiMamba) else f"mixers.{i}."
            for official, name in _CELL:
                yield f"{layer}mixer.{'submodule.' if ps else ''}mamba_{way}.{official}", mine + name
        for name in ("weight", "bias"):
            yield f"{layer}norm.{wrapped}{name}", f"norms.{i}.{name}"
    for name in ("weight", "bias"):
        yield f"{prefix}backbone.norm_f.{wrapped}{name}", f"norm_f.{name}"
    if isinstance(spec.head, MaskedLM):
        if ps:
            yield "lm_head.complement_map", None
        yield f"lm_head.{'lm_head.' if ps else ''}weight", "head.weight"
    elif spec.head is not None:
        yield "score.weight", "head.weight"


def collect(wanted: list[Entry], tensors: Mapping[str, np.ndarray], alphabet: Alphabet) -> dict[str, np.ndarray]:
    """The weights that ``tensors`` hold, each once.

    Raises:
        ValueError: a key is left over or a weight has none (both lists are shown), a shape is wrong, two keys of one
            tied tensor differ, or a complement map contradicts ``alphabet``.
    """
    _require_all(wanted, tensors)
    weights: dict[str, np.ndarray] = {}
    first: dict[str, str] = {}
    for entry in wanted:
        if entry.key not in tensors:
            continue
        value = tensors[entry.key]
        if tuple(value.shape) != entry.shape:
            raise ValueError(f"tensor {entry.key} has shape {tuple(value.shape)}, expected {entry.shape}")
        if entry.weight is None:
            _check_map(entry.key, value, alphabet)
        elif entry.weight not in weights:
            weights[entry.weight], first[entry.weight] = entry.from_file(value), entry.key
        elif not np.array_equal(weights[entry.weight], entry.from_file(value)):
            raise ValueError(
                f"tensors {first[entry.weight]} and {entry.key} differ, expected equal: the model ties them; "
                "set bidirectional_weight_tie (mamba_rev) or tie_word_embeddings (lm_head of a plain model) to false "
                "in config.json if the file is untied"
            )
    return weights


def _require_all(wanted: list[Entry], tensors: Mapping[str, np.ndarray]) -> None:
    known = {entry.key for entry in wanted}
    held = {entry.weight for entry in wanted if entry.key in tensors}
    missing: dict[str, str] = {}
    for entry in wanted:
        if entry.key not in tensors and (entry.weight is None or entry.weight not in held):
            missing.setdefault(entry.weight or entry.key, entry.key)
    unexpected = [key for key in tensors if key not in known]
    if missing or unexpected:
        raise ValueError(f"tensors do not fit config.json: missing {list(missing.values())}, unexpected {unexpected}")


def _check_map(key: str, value: np.ndarray, alphabet: Alphabet) -> None:
    if not np.issubdtype(value.dtype, np.integer):
        raise ValueError(f"tensor {key} is {value.dtype}, expected integers")
    try:
        found = Alphabet(tuple(value.tolist()))
    except ValueError as error:
        raise ValueError(f"tensor {key}: {error}") from error
    if found != alphabet:
        both = enumerate(zip(found.complement, alphabet.complement, strict=True))
        differing = "; ".join(f"{i} -> {here}, not {there}" for i, (here, there) in both if here != there)
        raise ValueError(f"tensor {key} contradicts complement_map in config.json: {differing}")
