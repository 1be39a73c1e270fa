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
class Fault:
    """What is known of a fault.

    Attributes:
        name: what is wrong, in a few words.
        where: the function or the file that has it.
        replace: old text, which occurs once there, and new text.
        killers: names of checks, each of which must find the fault.
        missed_by: names of checks that cannot find it, which is worth knowing.
    """

    name: str
    where: str
    replace: tuple[str, str]
    killers: tuple[str, ...]
    missed_by: tuple[str, ...] = ()

    def put_into(self, text: str) -> str:
        """The text with the fault.

        Raises:
            ValueError: the old text does not occur exactly once: the code has changed, and the fault must follow.
        """
        old, new = self.replace
        if old == new or text.count(old) != 1:
            raise ValueError(
                f"mutant {self.name!r}: {old!r} occurs {text.count(old)} times in {self.where}, expected 1"
            )
        return text.replace(old, new)


@dataclass(frozen=True)
class Mutant(Fault):
    """A fault of a Python function, ``package.module:function`` or ``package.module:Class.method``, a property or
    static method too."""

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The library has the fault inside."""
        function = _function(self.where)
        sound = function.__code__
        function.__code__ = self._mutated(function)
        try:
            yield
        finally:
            function.__code__ = sound

    def _mutated(self, function: FunctionType) -> CodeType:
        text = self.put_into(textwrap.dedent(inspect.getsource(function)))
        module = compile(text, f"<mutant {self.name}>", "exec")
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
