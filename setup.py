"""Which folder becomes which package, and the compiled kernels; all else about the project is in pyproject.toml.

``reference/``, ``conformance/`` and ``recipes/`` stand beside ``caduceus/`` in a checkout and are installed inside it.
The kernels of ``caduceus/backends/cpu`` are compiled if that is possible. If not, the installation says so and goes on:
every model runs on the portable backend.
"""

import importlib.util
import sys
from pathlib import Path
from typing import Any

from setuptools import Extension, find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

BESIDE = {
    "caduceus.reference": "reference",
    "caduceus.conformance": "conformance",
    "caduceus.recipes.shipped": "recipes",
}
NOT_INSTALLED = ["project", "project.*"]
CPU = Path("caduceus", "backends", "cpu")


def kernels_module() -> Any:
    """`caduceus.backends.cpu.compile`, which needs nothing installed."""
    spec = importlib.util.spec_from_file_location("compile_kernels", CPU / "compile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Kernels(build_ext):
    """Compiles a plain shared library, which no version of Python or torch is tied to."""

    def build_extension(self, ext: Extension) -> None:
        module = kernels_module()
        try:
            module.compile_library(Path(self.get_ext_fullpath(ext.name)).parent)
        except module.CompilationFailed as error:
            print(f"note: caduceus is installed without its compiled CPU kernels: {error}", file=sys.stderr)

    def get_ext_filename(self, fullname: str) -> str:
        return str(Path(*fullname.split(".")[:-1], kernels_module().LIBRARY))

    def copy_extensions_to_source(self) -> None:
        """For an editable install; there is nothing to copy if compiling failed."""
        self.extensions = [e for e in self.extensions if Path(self.build_lib, self.get_ext_filename(e.name)).exists()]
        super().copy_extensions_to_source()


class Wheel(bdist_wheel):
    """Any Python 3 of one platform: the library is loaded by ctypes."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


packages = find_packages(include=["caduceus", "caduceus.*"])
for package, folder in BESIDE.items():
    packages += [package, *(f"{package}.{child}" for child in find_packages(folder, exclude=NOT_INSTALLED))]

setup(
    packages=packages,
    package_dir=BESIDE,
    ext_modules=[Extension("caduceus.backends.cpu._kernels", sources=[])],
    cmdclass={"build_ext": Kernels, "bdist_wheel": Wheel},
)
