"""A fault as a replacement in the text of one function, planted for the time of a ``with`` block.

The mutated text is compiled and its code takes the place of the function's own: every name that is bound to the
function, wherever it was imported, then has the fault, and gets the function back as it was at the end of the block.
"""

from __future__ import annotations

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any


@dataclass(frozen=True)
class Mutant:
    """A fault.

    Attributes:
        name: what is wrong, in a few words.
        where: ``package.module:function`` or ``package.module:Class.method``, a property or static method too.
        replace: old text, which occurs once in the function, and new text.
        killers: names of checks, each of which must find the fault.
        missed_by: names of checks that cannot find it, which is worth knowing.
    """

    name: str
    where: str
    replace: tuple[str, str]
    killers: tuple[str, ...]
    missed_by: tuple[str, ...] = ()

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The library has the fault inside.

        Raises:
            ValueError: the old text does not occur exactly once: the code has changed, and the mutant must follow.
        """
        function = _function(self.where)
        sound = function.__code__
        function.__code__ = self._mutated(function)
        try:
            yield
        finally:
            function.__code__ = sound

    def _mutated(self, function: FunctionType) -> CodeType:
        text = textwrap.dedent(inspect.getsource(function))
        old, new = self.replace
        if old == new or text.count(old) != 1:
            raise ValueError(
                f"mutant {self.name!r}: {old!r} occurs {text.count(old)} times in {self.where}, expected 1"
            )
        module = compile(text.replace(old, new), f"<mutant {self.name}>", "exec")
        return next(c for c in module.co_consts if isinstance(c, CodeType) and c.co_name == function.__name__)


def _function(where: str) -> FunctionType:
    """The function itself, out of the property or static method that holds it."""
    module, _, path = where.partition(":")
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        found = inspect.getattr_static(found, name)
    found = found.fget if isinstance(found, property) else getattr(found, "__func__", found)
    if not isinstance(found, FunctionType):
        raise TypeError(f"{where} is {type(found).__name__}, expected a function")
    return found
