"""What a wheel holds, and that the suite runs from it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from caduceus.conformance.project.sources import ROOT

INSTALLED_AS = {
    "caduceus": "caduceus",
    "reference": "caduceus/reference",
    "conformance": "caduceus/conformance",
    "recipes": "caduceus/recipes/shipped",
}
GOLDEN = "caduceus/conformance/golden/"
GOLDEN_BYTES = 2_000_000
KERNELS = "caduceus/backends/cpu/_kernels.so"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout: building leaves files behind, and old ones would end up in the wheel."""
    copy = tmp_path_factory.mktemp("source") / "checkout"
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "*.so", "build", "dist", "runs")
    shutil.copytree(ROOT, copy, ignore=unwanted)
    return copy


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(source)], check=True)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def sizes(wheel: Path) -> dict[str, int]:
    """Size in bytes of every file in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {info.filename: info.file_size for info in archive.infolist()}


def test_top_level_is_caduceus_alone(sizes: dict[str, int]) -> None:
    others = {name.partition("/")[0] for name in sizes} - {"caduceus"}
    assert len(others) == 1
    assert others.pop().endswith(".dist-info")


def test_every_file_is_inside_and_no_other(source: Path, sizes: dict[str, int]) -> None:
    expected = set()
    for folder, package in INSTALLED_AS.items():
        files = (path.relative_to(source / folder) for path in (source / folder).rglob("*") if path.is_file())
        expected |= {f"{package}/{file.as_posix()}" for file in files}
    expected = {name for name in expected if not name.startswith((GOLDEN, "caduceus/conformance/project/"))}
    found = {name for name in sizes if ".dist-info/" not in name and not name.startswith(GOLDEN)} - {KERNELS}
    assert sorted(expected - found) == [], "give their folder an __init__.py, or name them in package-data"
    assert sorted(found - expected) == []
    assert {"caduceus/py.typed", "caduceus/data/genomes/ecoli_K12_MG1655.fa.gz"} <= found


def test_kernels_are_compiled_where_there_is_a_compiler(wheel: Path, sizes: dict[str, int]) -> None:
    assert (KERNELS in sizes) == (shutil.which("c++") is not None)
    assert re.fullmatch(r"caduceus-[^-]+-py3-none-(?!any)\w+\.whl", wheel.name), "any Python 3, one platform"


def test_licence_and_notice_are_inside(sizes: dict[str, int]) -> None:
    names = {name.rpartition("/")[2] for name in sizes if ".dist-info/" in name}
    assert {"LICENSE", "NOTICE"} <= names
    assert GOLDEN + "NOTICE" in sizes


def test_golden_vectors_are_few_and_whole(sizes: dict[str, int]) -> None:
    golden = {name.removeprefix(GOLDEN): size for name, size in sizes.items() if name.startswith(GOLDEN)}
    assert sum(golden.values()) <= GOLDEN_BYTES
    arrays = {name.removesuffix(".npz") for name in golden if name.endswith(".npz")}
    assert all(f"{case}.json" in golden for case in arrays)
    assert {"ph_ew_multiply", "ps_fused_n3", "ps_fused_unidirectional", "cls_ps_fused_mean"} <= arrays


def test_the_suite_runs_where_only_the_wheel_is(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    empty = tmp_path / "empty"
    empty.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    command = [sys.executable, "-m", "caduceus.conformance", "-k", "test_golden_cases", "-v"]
    done = subprocess.run(
        command, cwd=empty, env={**environment, "PYTHONPATH": str(site)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"rootdir: {site / 'caduceus' / 'conformance'}" in done.stdout
    assert "golden cases not in this installation" in done.stdout
    assert "ph_ssmcfg" in done.stdout
