"""Imports run one way, and what is optional or heavy is imported only where it may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter

import pytest

from caduceus.conformance.project.sources import modules

# What each file or folder of caduceus/ stands on; it may import that, and what that stands on. `extras` is for all.
STANDS_ON: dict[str, tuple[str, ...]] = {
    "extras": (),
    "hub": (),
    "alphabet": (),
    "weights": (),
    "shapes": (),
    "symmetry": ("alphabet",),
    "tokenizers": ("alphabet",),
    "interfaces": ("symmetry",),
    "spec": ("symmetry", "weights"),
    "parts": ("spec",),
    "zoo": ("parts",),
    "reference": ("parts", "interfaces"),
    "backends": ("interfaces", "shapes"),
    "nn": ("parts", "interfaces", "shapes"),
    "construct": ("nn", "backends", "reference"),
    "check": ("interfaces",),
    "losses": ("alphabet",),
    "checkpoint": ("construct", "zoo", "hub"),
    "data": ("tokenizers", "symmetry"),
    "bench": ("construct", "losses"),
    "train": ("data", "checkpoint", "losses", "check"),
    "predict": ("data", "checkpoint"),
    "evaluate": ("data", "checkpoint"),
    "recipes": ("bench", "train", "predict", "evaluate"),
}

# Imports against the arrows, inside a function, each with its reason.
DEFERRED = {
    ("spec", "parts"): "reading a spec registers the kinds of this library",
}

MAY_IMPORT_PACKAGE = {
    "torch": {
        *("backends", "bench", "check", "checkpoint", "construct", "data", "evaluate", "losses", "nn", "predict"),
        "train",
    },
    "lightning": {"train"},
}


def imports(node: ast.AST, deferred: bool = False) -> Iterator[tuple[str, bool]]:
    """Dotted names that a module imports, and whether a function does it; what is for type checkers is left out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        if isinstance(child, ast.Import):
            yield from ((alias.name, deferred) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield from ((f"{child.module}.{alias.name}", deferred) for alias in child.names)
        else:
            yield from imports(child, deferred or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)))


TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in modules()}
IMPORTS = [(name, target, deferred) for name, tree in TREES.items() for target, deferred in imports(tree)]
UNITS = {name.split(".")[1] for name in TREES if "." in name} - {"conformance"}


def unit(name: str) -> str | None:
    """The file or folder of caduceus/ that a dotted name lies in; None for the package itself and for others."""
    first, _, rest = name.partition(".")
    found = rest.partition(".")[0]
    return found if first == "caduceus" and found in UNITS else None


def below(name: str) -> set[str]:
    """Everything that ``name`` may import."""
    found = {"extras", name}
    for foundation in STANDS_ON[name]:
        found |= below(foundation)
    return found


def test_the_table_is_complete_and_has_no_cycle() -> None:
    TopologicalSorter(STANDS_ON).prepare()
    assert UNITS - STANDS_ON.keys() == set(), "say in STANDS_ON what these stand on"


def test_imports_run_one_way() -> None:
    wrong = []
    for name, target, deferred in IMPORTS:
        source, sink = unit(name), unit(target)
        if source is None or sink is None or sink in below(source):
            continue
        if not (deferred and (source, sink) in DEFERRED):
            wrong.append(f"{name} imports {target}")
    assert wrong == []


def test_the_library_does_not_import_its_own_front_door_or_its_tests() -> None:
    """`from caduceus import build` inside the library would hide an arrow."""
    wrong = []
    for name, target, _ in IMPORTS:
        if unit(name) is not None and target.partition(".")[0] == "caduceus" and unit(target) is None:
            wrong.append(f"{name} imports {target}")
    assert wrong == []


def test_folders_are_imported_by_their_installed_names() -> None:
    folders = {"conformance", "recipes", "reference"}
    wrong = [f"{name} imports {target}" for name, target, _ in IMPORTS if target.partition(".")[0] in folders]
    assert wrong == []


@pytest.mark.parametrize("package", MAY_IMPORT_PACKAGE)
def test_heavy_packages_stay_where_they_belong(package: str) -> None:
    importers = {unit(name) for name, target, _ in IMPORTS if target.partition(".")[0] == package}
    assert importers - {None} <= MAY_IMPORT_PACKAGE[package]


def test_only_backends_and_extras_go_on_without_a_package() -> None:
    wrong = []
    for name, tree in TREES.items():
        if unit(name) not in {"backends", "extras"}:
            found = (node for node in ast.walk(tree) if isinstance(node, ast.Try) and _guards_an_import(node))
            wrong += [f"{name}:{node.lineno}" for node in found]
    assert wrong == []


def _guards_an_import(node: ast.Try) -> bool:
    caught = " ".join(ast.unparse(handler.type) for handler in node.handlers if handler.type)
    tries_import = any(isinstance(statement, (ast.Import, ast.ImportFrom)) for statement in node.body)
    return tries_import and ("ImportError" in caught or "ModuleNotFoundError" in caught)


def test_no_public_name_of_a_package_is_also_a_submodule() -> None:
    """Importing the submodule would replace the function: `caduceus.build` would be one or the other."""
    public = {f"{module}.{name}" for module, tree in TREES.items() for name in _own_names(tree)}
    assert public & TREES.keys() == set()


def _own_names(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names if (node.module or "").count("."))


def test_import_caduceus_is_light() -> None:
    code = "import sys, caduceus; print(sorted({'torch', 'lightning'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
