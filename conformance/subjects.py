"""What is under test: a backend in one of its dtypes, and the models built on it, both behind NumPy arrays.

Properties see arrays of float64 going in and coming out, so one law is written once for every backend.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

import caduceus
from caduceus.spec import Spec

Array = np.ndarray
Arguments = dict[str, Any]


def array(x: Any) -> Array:
    """A tensor or an array as an array; floating values as float64."""
    if isinstance(x, torch.Tensor):
        x = x.detach().cpu()
        return (x.double() if x.is_floating_point() else x).numpy()
    return np.asarray(x)


@dataclass(frozen=True)
class Subject:
    """A backend in one of the dtypes that it declares.

    Attributes:
        backend: `caduceus.interfaces.Backend`. dtype: its name. device: where the tensors are.
    """

    backend: Any
    dtype: str
    device: str = "cpu"

    def __str__(self) -> str:
        where = "" if self.device == "cpu" else f" {self.device}"
        return f"{self.backend.name} {self.dtype}{where}"

    @property
    def is_reference(self) -> bool:
        return bool(self.backend.name == "reference")

    def put(self, x: Any) -> Any:
        """What the backend takes for ``x``: floating arrays in the subject's dtype; anything but arrays unchanged."""
        if not isinstance(x, np.ndarray) or self.is_reference:
            return x
        tensor = torch.from_numpy(x.copy()).to(self.device)
        return tensor.to(getattr(torch, self.dtype)) if tensor.is_floating_point() else tensor

    def rounded(self, arguments: Mapping[str, Any]) -> Arguments:
        """The same arguments after a round trip through the subject's dtype: what the backend will see."""
        return {n: array(self.put(x)) if isinstance(x, np.ndarray) else x for n, x in arguments.items()}

    def kernel(self, name: str, arguments: Mapping[str, Any]) -> tuple[Array, Array]:
        """The two results of a kernel on arrays."""
        with torch.no_grad():
            first, second = getattr(self.backend, name)(**{n: self.put(x) for n, x in arguments.items()})
        return array(first), array(second)

    def build(self, spec: Spec, weights: Mapping[str, Any] | None = None, seed: int = 0) -> Any:
        """The model of ``spec`` on this backend, in eval mode."""
        where = {} if self.is_reference else {"dtype": self.dtype, "device": self.device}
        return caduceus.build(spec, backend=self.backend, seed=seed, weights=weights, **where).eval()


@dataclass(frozen=True)
class Case:
    """A model under test: a spec, built on a subject with weights away from their initial values; or a built model.

    Initial values hide faults: norms of ones, biases of zeros, steps so short that the state hardly moves.
    """

    spec: Spec
    subject: Subject | None = None
    seed: int = 0
    built: Any = None

    @cached_property
    def model(self) -> Any:
        """In eval mode."""
        if self.subject is None:
            return self.built.eval()
        declared = self.spec.weights()
        values = self.subject.build(self.spec, seed=self.seed).weights()
        rng = np.random.default_rng(self.seed)
        moved = {n: _moved(rng, x) if n in declared else x for n, x in values.items()}
        return self.subject.build(self.spec, moved)

    @property
    def dtype(self) -> str:
        return dtype_of(self.built) if self.subject is None else self.subject.dtype

    def __str__(self) -> str:
        return f"the given model, {self.dtype}" if self.subject is None else str(self.subject)

    @property
    def backend(self) -> Any:
        """What the model computes with."""
        if self.subject is not None:
            return self.subject.backend
        return self.built.backend if hasattr(self.built, "backend") else caduceus.get_backend("reference")

    def other(self, spec: Spec, weights: Mapping[str, Any]) -> Any:
        """Another model on the same backend."""
        return (self.subject or Subject(self.backend, self.dtype, device_of(self.built))).build(spec, weights)


def _moved(rng: np.random.Generator, x: Array) -> Array:
    return (x + 0.2 * rng.standard_normal(x.shape)).astype(np.float32)


def dtype_of(model: Any) -> str:
    """Name of the dtype that a model computes in."""
    if not hasattr(model, "parameters"):
        return "float64"
    return str(next(iter(model.parameters()), torch.zeros(())).dtype).removeprefix("torch.")


def device_of(model: Any) -> str:
    """Where a model is."""
    parameter = next(model.parameters(), None) if hasattr(model, "parameters") else None
    return "cpu" if parameter is None else str(parameter.device)


def answer(model: Any, ids: Array, mask: Any = None) -> Array:
    """What the model gives."""
    with torch.no_grad():
        return array(model(ids, mask))


def features(model: Any, ids: Array, mask: Any = None) -> Array:
    """Its features."""
    with torch.no_grad():
        return array(model.features(ids, mask))
