"""A package's public door: names that are loaded when they are asked for, and packages that can be called."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any


def offered(package: str, names: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` (PEP 562) of a package that offers ``names``, to Tab as well.

    Args:
        package: its name.
        names: what it offers, each with its ``module:attribute``, or with a module alone.
    """

    def load(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, _, attribute = names[name].partition(":")
        loaded = importlib.import_module(module)
        return getattr(loaded, attribute) if attribute else loaded

    def listed() -> list[str]:
        return sorted({*vars(sys.modules[package]), *names})

    return load, listed


class _CallableRoom(ModuleType):
    """A package that is called as the function which is its public face."""

    __door__: str

    def _face(self) -> Callable[..., Any]:
        module, _, attribute = self.__door__.partition(":")
        face: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
        return face

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._face()(*arguments, **options)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._face())


def make_callable(room: str, door: str) -> None:
    """Have the package ``room`` be called as ``door`` (``module:function``) is.

    A package's attribute for a folder of it is the folder's module, whatever the package offers by that name.
    """
    module = sys.modules[room]
    module.__class__ = _CallableRoom
    module.__door__ = door  # type: ignore[attr-defined]
