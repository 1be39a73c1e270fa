"""From the options of a run to what its tests are tried on.

A test asks by the name of its argument:

    subject     every backend in every floating dtype of 32 or 64 bits that it declares
    candidate   those that are compared with the reference: all but the reference itself, which has no autograd either
    precise     the candidates in float64
    half        the dtypes of 16 bits
    case        every model of the catalogue, or the one given, on every subject
    compared    the same on every candidate, where every part has a reference
    learning    the same on every candidate, whether it has one or not: what can be trained
    sloped      the same in float64 alone, in which differences of values are slopes

``pytest.mark.models("masked", ...)`` names what a model must be for the test (`requirements`).
"""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Iterable
from functools import cache
from operator import attrgetter
from typing import Any

import pytest

import caduceus
from caduceus import parts
from caduceus.conformance.catalogue import CATALOGUE
from caduceus.conformance.requirements import REQUIREMENTS, with_reference
from caduceus.conformance.subjects import Case, Subject
from caduceus.spec import Spec

_WIDE = ("float32", "float64")
_DTYPES = {"subject": _WIDE, "candidate": _WIDE, "precise": ("float64",), "half": ("float16", "bfloat16")}
_TRIED_ON = {"case": "subject", "compared": "candidate", "learning": "candidate", "sloped": "precise"}
_NOT_THE_REFERENCE = "the reference is what values are compared with, in float64, and has no autograd"
OF_MODELS = frozenset(_TRIED_ON)
OF_BACKENDS = frozenset({*_DTYPES, *OF_MODELS})


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Give a test that asks for one of the names its values."""
    for name in _DTYPES.keys() & set(metafunc.fixturenames):
        metafunc.parametrize(name, _subjects(metafunc.config, name))
    for name in OF_MODELS & set(metafunc.fixturenames):
        marker = metafunc.definition.get_closest_marker("models")
        metafunc.parametrize(name, _cases(metafunc.config, name, marker.args if marker else ()))


def chosen(config: pytest.Config) -> frozenset[str] | None:
    """Of which arguments a test must have one to be part of this run; None if all tests are."""
    if config.getoption("--model"):
        return OF_MODELS
    return OF_BACKENDS if config.getoption("--backend") else None


def not_applicable(reason: str, name: str) -> Any:
    """In place of a value: a test that says why it does not apply."""
    return pytest.param(None, id=name, marks=pytest.mark.skip(reason=f"not applicable: {reason}"))


def _subjects(config: pytest.Config, which: str) -> list[Any]:
    found, asked = [], config.getoption("--backend")
    names = asked or [info.name for info in caduceus.available_backends() if info.available]
    for name in names:
        backend = load_backend(name)
        dtypes = [dtype for dtype in backend.dtypes if dtype in _DTYPES[which]]
        if which != "subject" and backend.name == "reference":
            found += [not_applicable(_NOT_THE_REFERENCE, "reference")] if asked else []
        elif not dtypes:
            reason = f"backend {backend.name} declares no {' or '.join(_DTYPES[which])}"
            found.append(not_applicable(reason, backend.name))
        device = device_of(config, backend)
        if which == "subject" or backend.name != "reference":
            subjects = [Subject(backend, dtype, device) for dtype in dtypes]
            found += [pytest.param(subject, id=str(subject).replace(" ", "-")) for subject in subjects]
    return found


def _cases(config: pytest.Config, which: str, needed: Iterable[str]) -> list[Any]:
    target = config.getoption("--model")
    made = load_model(target) if target else None
    if made is not None and not isinstance(made, Spec):
        if which != "case" and not hasattr(made, "parameters"):
            return [not_applicable(_NOT_THE_REFERENCE, "given")]
        case = Case(made.spec, built=made)
        if which == "sloped" and case.dtype not in _DTYPES["precise"]:
            return [not_applicable(f"differences of values in {case.dtype} are no slopes", "given")]
        return [_case(case, "given", needed, which == "compared")]
    specs = CATALOGUE if made is None else {"given": made}
    found = []
    for param in _subjects(config, _TRIED_ON[which]):
        (subject,) = param.values
        if subject is None:
            found.append(param)
            continue
        for name, spec in specs.items():
            compared = which == "compared" or subject.is_reference
            case = _case(Case(spec, subject), f"{param.id}-{name}", needed, compared)
            # The library's own models are there for the tests that apply to them.
            if made is not None or not case.marks:
                found.append(case)
    return found


def _case(case: Case, name: str, needed: Iterable[str], compared: bool) -> Any:
    reasons = [reason for need in needed if (reason := REQUIREMENTS[need](case.spec))]
    if compared and not reasons and (reason := with_reference(case.spec)):
        reasons = [f"values: {reason}"]
    return not_applicable("; ".join(reasons), name) if reasons else pytest.param(case, id=name)


def device_of(config: pytest.Config, backend: Any) -> str:
    """The device that a backend is tested on."""
    if backend.name == "reference":
        return "cpu"
    return config.getoption("--device") or getattr(backend, "device", "cpu")


def load_backend(name: str) -> Any:
    """The backend of that name, or the run's end with the reason why there is none."""
    try:
        return caduceus.get_backend(name)
    except (ValueError, RuntimeError, ImportError, AttributeError) as error:
        raise pytest.UsageError(f"--backend {name}: {error}") from error


@cache
def load_model(target: str) -> Any:
    """What ``package.module:make`` returns: the spec of a model, or a built one; of a mixer, a ps model around it."""
    module, _, path = target.partition(":")
    try:
        make = attrgetter(path)(importlib.import_module(module))
    except (ImportError, AttributeError, ValueError) as error:
        raise pytest.UsageError(f"--model {target}: {error}; is the file's folder on PYTHONPATH?") from error
    try:
        made = make()
    except Exception as error:
        told = "".join(traceback.format_exception(error.with_traceback(error.__traceback__.tb_next)))
        raise pytest.UsageError(f"--model {target}: it raised\n{told}") from error
    if isinstance(made, Spec) and made.role in ("mixer", "strand_mixer"):
        embedding = parts.Embedding(d_model=made.d_model or 8)
        return parts.Model(embedding=embedding, mixers=[made], head=parts.MaskedLM())
    if isinstance(getattr(made, "spec", made), parts.Model | parts.Symmetrize):
        return made
    raise pytest.UsageError(f"--model {target} gave {type(made).__name__}, expected the spec of a model, or a model")
