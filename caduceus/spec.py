"""Specs: what a model is, as data. Frozen, validated, the same from YAML and from Python.

A spec says what a part is, between which spaces it maps and which weights it owns; it holds no tensors and imports no
backend. `kind` names the class: a short name for the parts of this library, ``package.module:Class`` for anyone else's.

A third party's mixer is a class in any importable file:

    class DilatedConv(caduceus.spec.Spec):
        width: int = 9

        def module(self, backend):                 # backend: caduceus.interfaces.Backend
            return MyTorchModule(self.d_model, self.width)   # forward(x, mask=None), x (B, L, C), one strand

`self.d_model` is the number of channels of one strand, filled in by the model that holds the part. What forward
returns has the shape of x. Where a mask (B, L) is False it is put to 0, and what it is elsewhere must not depend on
what x holds there, which may be anything, NaN too: `torch.where` and `masked_fill` leave it out, a product with the
mask does not (0 times NaN is NaN). A part that cannot promise this declares ``uses_mask = False``. With a method

        def reference(self):                       # f(weights, x, mask=None) -> y in NumPy
            return my_numpy_function               # weights: dict of the module's arrays by their names in it

its values and gradients are compared with that function too; without one only its laws are tested.
"""

from __future__ import annotations

import difflib
import importlib
from pathlib import Path
from typing import Any, ClassVar, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, model_serializer, model_validator
from pydantic.functional_validators import BeforeValidator

from caduceus.symmetry import Space, Strands
from caduceus.weights import Weights

Role = Literal["embedding", "mixer", "strand_mixer", "norm", "head", "model"]

_kinds: dict[str, type[Spec]] = {}


class Spec(BaseModel):
    """Base of every spec; on its own, the base of a mixer.

    Attributes:
        d_model: channels of one strand. None takes what the part before it gives.
        role: where in a model the part can stand.
        uses_mask: False for a part that ignores masks: a partial mask is then refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    role: ClassVar[Role] = "mixer"
    uses_mask: ClassVar[bool] = True
    kind_name: ClassVar[str] = ""

    d_model: int | None = Field(default=None, gt=0)

    def __init_subclass__(cls, kind: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.kind_name = kind or _path(cls)
        if kind is None:
            return
        # A module that is loaded again brings the same class again.
        if kind in _kinds and _path(_kinds[kind]) != _path(cls):
            raise ValueError(f"kind {kind!r} of {_path(cls)} is taken by {_path(_kinds[kind])}; give another name")
        _kinds[kind] = cls

    @model_validator(mode="before")
    @classmethod
    def _drop_kind(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "kind" not in data or "kind" in cls.model_fields:
            return data
        if find_kind(data["kind"]) is not cls:
            raise ValueError(f"kind is {data['kind']!r}, expected {cls.kind_name!r}")
        return {k: v for k, v in data.items() if k != "kind"}

    @model_serializer(mode="wrap")
    def _with_kind(self, handler: Any) -> dict[str, Any]:
        fields = {k: v for k, v in handler(self).items() if v is not None}
        return fields if "kind" in type(self).model_fields else {"kind": self.kind_name, **fields}

    @property
    def channels(self) -> int:
        """Channels of one strand, once known."""
        if self.d_model is None:
            raise ValueError(f"{self.kind_name} has no d_model yet: put it in a model, or give d_model")
        return self.d_model

    @property
    def space_in(self) -> Space:
        return Strands(self.channels)

    @property
    def space_out(self) -> Space:
        return Strands(self.channels)

    @property
    def is_foreign(self) -> bool:
        """Whether it brings its own torch module, whose weights are known only to that module."""
        return hasattr(self, "module")

    def bind(self, embedding: Any) -> Any:
        """The same part with what it takes from the model's embedding filled in."""
        return self if self.d_model is not None else self.model_copy(update={"d_model": embedding.channels})

    def weights(self) -> Weights:
        """Weights that the part owns, by name; a third party's are known only to its module."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values, as YAML holds them."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """The spec as YAML text; `load_spec` reads it back to an equal spec."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False)


def _path(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def find_kind(kind: Any) -> type[Spec]:
    """The spec class that ``kind`` names, imported if it is ``package.module:Class``.

    Raises:
        ValueError: the kind is unknown; the message lists the known ones, or says what could not be imported.
    """
    if not isinstance(kind, str):
        raise ValueError(f"kind is {kind!r}, expected a name such as 'bimamba' or 'package.module:Class'")
    if ":" not in kind:
        if kind in _kinds:
            return _kinds[kind]
        near = difflib.get_close_matches(kind, _kinds, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(f"unknown kind {kind!r}{hint} Known: {', '.join(sorted(_kinds))}, or 'package.module:Class'")
    module_name, _, path = kind.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for name in path.split("."):
            found = getattr(found, name)
    except (ModuleNotFoundError, AttributeError) as error:
        raise ValueError(f"kind {kind!r} cannot be loaded: {error}; is the file's folder on PYTHONPATH?") from error
    if not (isinstance(found, type) and issubclass(found, Spec)):
        raise ValueError(f"kind {kind!r} is {found!r}, expected a subclass of caduceus.spec.Spec")
    return found


def slot(*roles: Role) -> Any:
    """A field that takes any spec with one of ``roles``: a spec, or a dict (from YAML) whose ``kind`` names it."""

    def parse(value: Any) -> Any:
        if isinstance(value, dict):
            if "kind" not in value:
                raise ValueError(f"no kind given, expected one of {', '.join(known(*roles))} or 'package.module:Class'")
            cls = find_kind(value["kind"])
            value = cls.model_validate({k: v for k, v in value.items() if k != "kind"})
        if isinstance(value, Spec) and value.role not in roles:
            raise ValueError(f"{value.kind_name} is a {value.role}, expected a {' or '.join(roles)}")
        return value

    return BeforeValidator(parse)


def known(*roles: Role) -> list[str]:
    """Names of this library's kinds that have one of ``roles``."""
    return sorted(name for name, cls in _kinds.items() if cls.role in roles)


AnySpec = SerializeAsAny[Spec]


def parse_spec(data: Any) -> Spec:
    """A spec from plain values: the ``kind`` names its class, a model if there is none."""
    if not isinstance(data, dict):
        raise ValueError(f"a spec is a mapping of fields, got {type(data).__name__}")
    import caduceus.parts  # noqa: F401  registers the kinds of this library

    data = dict(data)
    return find_kind(data.pop("kind", "model")).model_validate(data)


def load_spec(path: str | Path) -> Spec:
    """Read a spec from a YAML file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no YAML mapping, or not a valid spec (a pydantic ValidationError names the field).
    """
    text = Path(path).read_text(encoding="utf-8")
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {error}") from error
    return parse_spec(data)
