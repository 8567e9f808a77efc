"""Names of this package, and Python's own, that a plugin put something else behind.

A plugin adds parts by its hooks and has no business to overwrite functions, classes and
methods of ``mlmi_sklearn``, or :func:`print`. Those that were there before it was
loaded are put back. Of modules that it was the first to import, something of its own
under a public name is found, but the original is lost until Python is started again.
Private attributes of objects are beyond what can be watched.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

__all__ = ["Snapshot"]

_PACKAGE = __name__.partition(".")[0]
_METHODS = (FunctionType, staticmethod, classmethod, property)


class Snapshot:
    """What stands behind every name of the package.

    Examples
    --------
    >>> import mlmi_sklearn.components.naming as naming
    >>> snapshot, real = Snapshot(), naming.suggest
    >>> snapshot.take()
    >>> naming.suggest = max
    >>> list(snapshot.put_back())
    ['mlmi_sklearn.components.naming.suggest']
    >>> naming.suggest is real
    True
    """

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._known: dict[tuple[str, str], tuple[Any, Any]] = {}

    def take(self) -> None:
        """Remember what stands behind the names of modules imported until now."""
        for label, owner in _owners(self._seen):
            for name, value in list(vars(owner).items()):
                if _is_watched(owner, value):
                    self._known[label, name] = owner, value
        self._seen |= {"builtins", *_own_modules()}

    def put_back(self) -> Iterator[str]:
        """Restore every name that stands for something else, and say which.

        Yields
        ------
        str
            Full names.
        """
        for (label, name), (owner, value) in self._known.items():
            if vars(owner).get(name) is not value:
                setattr(owner, name, value)
                yield f"{label}.{name}"

    def strangers(self, package: str) -> Iterator[str]:
        """Find what a plugin wrote under public names of modules imported since.

        Parameters
        ----------
        package : str
            Top-level module of the plugin.

        Yields
        ------
        str
            Full names; what belongs there cannot be brought back.
        """
        for label, module in _own_modules().items():
            for name in () if label in self._seen else getattr(module, "__all__", ()):
                if package and _home(vars(module).get(name)) == package:
                    yield f"{label}.{name}"


def _own_modules() -> dict[str, ModuleType]:
    """Return the modules of the package that are imported."""
    return {
        name: module
        for name, module in list(sys.modules.items())
        if f"{name}.".startswith(f"{_PACKAGE}.") and isinstance(module, ModuleType)
    }


def _owners(seen: set[str]) -> Iterator[tuple[str, Any]]:
    """Yield Python's own names, then modules and their classes, if they are new."""
    modules: dict[str, ModuleType] = {"builtins": builtins, **_own_modules()}
    for label, module in modules.items():
        if label in seen:
            continue
        yield label, module
        for name, value in list(vars(module).items()):
            own = isinstance(value, type) and value.__module__ == label
            if own and label != "builtins":
                yield f"{label}.{name}", value


def _is_watched(owner: Any, value: Any) -> bool:
    """Tell code, which stays, from data, which may change."""
    if isinstance(owner, type):
        return isinstance(value, _METHODS)
    return callable(value) or isinstance(value, ModuleType)


def _home(value: Any) -> str:
    """Return the package that a class or function was written in."""
    home = value.__module__ if isinstance(value, type | FunctionType) else ""
    return str(home).partition(".")[0]
