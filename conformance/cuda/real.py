"""The real packages as they install without CUDA: what is said of them, and what the backend asks of their functions.

    python -m caduceus.conformance.cuda.real FOLDER

FOLDER holds them, as `pip install --target` leaves them. They are read, not imported: without their compiled kernels
most versions cannot be.
"""

from __future__ import annotations

import ast
import importlib
import sys
import tempfile
from importlib.machinery import PathFinder
from importlib.metadata import distributions
from pathlib import Path

import torch

from caduceus.backends.cuda import functions, probe
from caduceus.conformance.cuda.site import Site

PLACES = {"mamba-ssm": (functions.SCAN, functions.NORM), "causal-conv1d": (functions.CONV,)}


def takes(folder: Path, place: str) -> list[str] | None:
    """Names of the arguments of the function ``module:function`` in a folder of packages; None if it is not there."""
    path, _, name = place.partition(":")
    module = folder.joinpath(*path.split("."))
    file = module / "__init__.py" if module.is_dir() else module.with_suffix(".py")
    tree = ast.parse(file.read_text(encoding="utf-8")) if file.is_file() else ast.Module([], [])
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return [argument.arg for argument in node.args.args]
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            return takes(folder, f"{node.module}:{name}")
    return None


def check(folder: Path) -> None:
    """AssertionError where a package is not as the backend and its stand-in take it to be."""
    sys.path.insert(0, str(folder))
    probe.find_spec = lambda name: PathFinder.find_spec(name, [str(folder)])
    importlib.invalidate_caches()
    versions = {found.metadata["Name"].replace("_", "-"): found.version for found in distributions(path=[str(folder)])}
    said = probe.missing() or ""
    assert torch.version.cuda is not None or "is built without CUDA" in said, said
    with tempfile.TemporaryDirectory() as other:
        site = Site(Path(other))
        for name, extension in (("mamba-ssm", "selective_scan_cuda"), ("causal-conv1d", "causal_conv1d_cuda")):
            version = versions[name]
            expected = f"{name} {version} is installed without its compiled kernel {extension}"
            assert expected in said, f"{expected!r}, said: {said!r}"
            site.install(name, version)
            for places in PLACES[name]:
                place, arguments = _found(folder, places)
                stand_in = takes(site.folder, place)
                assert stand_in is not None, f"the stand-in of {name} {version} has no {place}"
                remaining = iter(arguments)
                assert all(argument in remaining for argument in stand_in), (name, version, place, arguments, stand_in)
                print(f"{name} {version}: {place} takes {', '.join(stand_in)}")


def _found(folder: Path, places: tuple[str, ...]) -> tuple[str, list[str]]:
    for place in places:
        if (arguments := takes(folder, place)) is not None:
            return place, arguments
    raise AssertionError(f"{folder} has none of {', '.join(places)}")


if __name__ == "__main__":
    check(Path(sys.argv[1]))
