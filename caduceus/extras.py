"""Optional dependencies: what to install, said where one is missing."""

from __future__ import annotations

import importlib
from types import ModuleType


def require(module: str, extra: str) -> ModuleType:
    """The module, imported, or an error that says which extra brings it.

    Args:
        module: dotted name, such as ``matplotlib.figure``.
        extra: the extra of this project that installs it, such as ``plots``.

    Raises:
        ModuleNotFoundError: the package is not installed. What fails inside an installed package is raised unchanged.

    >>> require("math", "plots").sqrt(4.0)
    2.0
    >>> require("no_such_package.part", "plots")
    Traceback (most recent call last):
    ...
    ModuleNotFoundError: no_such_package is not installed; it comes with an extra: pip install 'caduceus[plots]'
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        message = f"{package} is not installed; it comes with an extra: pip install 'caduceus[{extra}]'"
        raise ModuleNotFoundError(message, name=package) from error
