"""Whether the CUDA backend can run here, and if not, which of its parts is missing or does not fit.

What decides is the compiled extension of each package: `import mamba_ssm` works without it in some versions and fails
with it in others.
"""

from __future__ import annotations

import importlib
import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import NamedTuple

from caduceus.backends.cuda import functions, install

DOCTOR = "python -m caduceus.recipes doctor"


class Check(NamedTuple):
    """One thing that is needed: whether it will do, what there is of it, and what is wrong, unless another check says
    so already."""

    what: str
    good: bool
    found: str
    problem: str | None = None


class _Package(NamedTuple):
    name: str
    module: str
    extension: str
    places: tuple[str, ...]
    versions: str
    built_without: str


_PACKAGES = (
    _Package(
        "mamba-ssm",
        "mamba_ssm",
        "selective_scan_cuda",
        functions.SCAN,
        "1.0.1 to 2.3.2.post1",
        "MAMBA_SKIP_CUDA_BUILD=TRUE, or, in versions after 2.3.2.post1, without MAMBA_KEEP_CUDA_BUILD=TRUE",
    ),
    _Package(
        "causal-conv1d",
        "causal_conv1d",
        "causal_conv1d_cuda",
        functions.CONV,
        "1.0.0 to 1.7.0",
        "CAUSAL_CONV1D_SKIP_CUDA_BUILD=TRUE",
    ),
)


def checks() -> list[Check]:
    """Everything that the backend needs, in the order in which it is installed."""
    found = [_torch()]
    for package in _PACKAGES:
        extension = _extension(package)
        found += [_package(package, extension), extension]
    return found


def missing() -> str | None:
    """What keeps the backend from running here, in one line; None if nothing does."""
    problems = [check.problem for check in checks() if check.problem]
    return f"{'; '.join(problems)} ({DOCTOR} shows what to install)" if problems else None


def present() -> str:
    """What it runs on here."""
    norm = "Triton norm" if functions.find_norm() else "torch norm"
    packages = ", ".join(f"{package.name} {_version(package)}" for package in _PACKAGES)
    return f"{packages}, {norm}; float32, bfloat16 and float16, differentiable once"


def gpu_problem() -> str | None:
    """Why torch computes on no GPU here; None if it does. The packages are another matter."""
    return _torch().problem


def instructions() -> str:
    """What to type here to have it, a command or a comment a line; nothing if it can run, or only lacks a GPU."""
    machine = install.this_machine()
    in_packages = any(check.problem for check in checks()[1:])
    if machine.cuda is not None and not in_packages:
        return ""
    return "\n".join(install.commands(machine, installed=any(map(_installed, _PACKAGES))))


def _torch() -> Check:
    import torch

    what, built = "CUDA torch", f"torch {torch.__version__}"
    if torch.version.cuda is None:
        kind = "built for ROCm, not for CUDA" if getattr(torch.version, "hip", None) else "built without CUDA"
        return Check(what, False, built, f"{built} is {kind}")
    built = f"{built}, CUDA {torch.version.cuda}"
    if not torch.cuda.is_available():
        remedy = (
            "nvidia-smi must list one, with a driver for that CUDA or a newer one, and CUDA_VISIBLE_DEVICES must not "
            "hide it"
        )
        return Check(what, False, built, f"{built}, finds no GPU: {remedy}")
    return Check(what, True, f"{built}, {torch.cuda.get_device_name(0)}")


def _extension(package: _Package) -> Check:
    """The compiled kernel, which must load into this torch."""
    import torch

    name = package.extension
    if find_spec(name) is None:
        if not _installed(package):
            return Check(name, False, f"absent; it comes with {package.name}")
        problem = (
            f"{package.name} {_version(package)} is installed without its compiled kernel {name}: it was built where "
            f"no CUDA was, or with {package.built_without}"
        )
        return Check(name, False, "absent", problem)
    try:
        module = importlib.import_module(name)
    except Exception as error:
        here = f"torch {torch.__version__}, CUDA {torch.version.cuda} and Python {platform.python_version()}"
        problem = f"{name} cannot be loaded ({error}): it was compiled for others than the {here} here"
        return Check(name, False, "not loadable", problem)
    return Check(name, True, str(getattr(module, "__file__", "built in")))


def _package(package: _Package, extension: Check) -> Check:
    """The Python side, which is imported only where its kernel loads."""
    if not _installed(package):
        return Check(package.name, False, "absent", f"{package.name} is not installed")
    number = _version(package)
    if not extension.good:
        return Check(package.name, True, number)
    try:
        function = functions.find(package.places)
    except Exception as error:
        problem = f"{package.name} {number} cannot be imported ({type(error).__name__}: {error})"
        return Check(package.name, False, number, problem)
    if function is None:
        wanted = " or ".join(package.places)
        problem = f"{package.name} {number} has no {wanted}; versions {package.versions} have it: install one of those"
        return Check(package.name, False, number, problem)
    return Check(package.name, True, number)


def _installed(package: _Package) -> bool:
    return find_spec(package.module) is not None


def _version(package: _Package) -> str:
    try:
        return version(package.name)
    except PackageNotFoundError:
        return "of unknown version"
