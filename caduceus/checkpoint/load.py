"""`load_pretrained`: a folder in either layout, or a Hugging Face repository, to a model."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np

from caduceus.checkpoint import files
from caduceus.checkpoint.config import Config
from caduceus.checkpoint.heads import Conjoin, Request, Task, with_head
from caduceus.checkpoint.official import from_official, remember_form
from caduceus.construct import build
from caduceus.parts import Model, SequenceClassifier, Symmetrize
from caduceus.parts.heads import Pooling
from caduceus.spec import load_spec


def load_pretrained(
    folder: str | os.PathLike[str],
    *,
    task: Task | None = None,
    pooling: Pooling | None = None,
    conjoin: Conjoin | None = None,
    num_labels: int | None = None,
    head: Literal["strict", "new"] = "strict",
    backend: Any = "auto",
    dtype: Any = None,
    device: Any = None,
    revision: str | None = None,
) -> Any:
    """The model of a checkpoint, in eval mode.

    A folder is in one of two layouts: ``spec.yaml`` + ``model.safetensors``, or the published one, ``config.json`` +
    ``model.safetensors`` (or ``pytorch_model.bin``, read without running code). A published ps model with
    `fused_add_norm` exchanges strands in every layer; that is moved into its weights here, and the model computes the
    same as the authors' (docs/published_models.md 2.7). Of odd depth, a language model's head becomes a table of its
    own by that; once training has moved the two tables apart, the model has no official form any more.

    The tensors present decide the head: ``score.weight`` a classifier, ``lm_head.*`` a masked language model, none a
    backbone. A plain language model that ties its head stores no tensor for it: it is known by the prefix ``caduceus.``

    Args:
        folder: a folder, or "owner/name" of a Hugging Face repository (needs the extra ``hub``).
        task: what the model is for. It asserts what the file holds, with two exceptions: "backbone" (or "features")
            leaves a head out, and "masked_lm" gives a published backbone the head that is tied to its embedding.
        pooling, conjoin: of a classifier, in place of what the file says. conjoin (none, eval, always) is for plain
            models.
        num_labels: of a fresh classifier; asserts the number of a classifier that is there.
        head: "new" puts a fresh classifier, drawn from seed 0, on whatever the file holds.
        backend, device: as `caduceus.build`.
        dtype: as `caduceus.build`; None keeps every value: float64 for a file that holds it, else float32.
        revision: branch, tag or commit of a repository.

    Raises:
        FileNotFoundError: no folder, no config or no weights; the message says what was looked for.
        ValueError: file cut short, keys left over or missing (both lists), wrong shapes, unequal tied tensors, a
            complement map that is no involution or contradicts the config, NaN, an unknown value in the config, or a
            head that the file does not have.
    """
    request = Request(task=task, pooling=pooling, conjoin=conjoin, num_labels=num_labels, head=head)
    path = files.find_folder(folder, revision)
    spec, weights, classifier, fused = _read(path, request)
    spec, weights = with_head(spec, weights, request, classifier)
    wide = any(value.dtype == np.float64 for value in weights.values())
    dtype = "float64" if dtype is None and wide else dtype
    model = build(spec, backend=backend, dtype=dtype, device=device, weights=weights).eval()
    remember_form(model, fused)
    return model


_LAYER = re.compile(r"layers\.(\d+)\.")


def _read(
    path: Path, request: Request
) -> tuple[Model | Symmetrize, dict[str, np.ndarray], SequenceClassifier, bool | None]:
    """What a folder holds: spec, weights, what a fresh classifier would be, and whether the half swap was undone."""
    if files.layout_of(path) == "caduceus":
        spec = load_spec(path / files.SPEC)
        if not isinstance(spec, Model | Symmetrize):
            raise ValueError(f"{path / files.SPEC} holds a {spec.kind_name}, expected a model")
        return spec, files.read_tensors(path, (files.WEIGHTS,)), SequenceClassifier(), None
    config = Config.model_validate(files.read_json(path / files.CONFIG))
    tensors = files.read_tensors(path, (files.WEIGHTS, files.PICKLED))
    try:
        spec, weights = from_official(config, tensors, add_language_model=request.wanted == "masked_lm")
    except ValueError as error:
        layers = len(set(_LAYER.findall(" ".join(tensors))))
        depth = f"; config.json has n_layer {config.n_layer}, the file {layers}" if layers != config.n_layer else ""
        raise ValueError(f"{path}: {error}{depth}") from error
    return spec, weights, config.classifier(), config.fused_add_norm
