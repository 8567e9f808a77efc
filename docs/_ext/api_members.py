"""The members of a class that its page shows: those that this package wrote."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from api_names import ROOT, resolve

__all__ = ["Members"]


@dataclass(frozen=True)
class Members:
    """What templates ask; equal to any other, so that Sphinx can compare settings."""

    def methods(self, full: str) -> list[str]:
        """Return the public methods that a class or its bases here define."""
        return [name for name, value in _own(resolve(full)) if not _is_attribute(value)]

    def attributes(self, full: str) -> list[str]:
        """Return the public properties that a class or its bases here define."""
        return [name for name, value in _own(resolve(full)) if _is_attribute(value)]

    def all(self, full: str) -> list[str]:
        """Return both."""
        return [*self.attributes(full), *self.methods(full)]


def _own(cls: Any) -> Iterator[tuple[str, Any]]:
    """Yield name and definition; what other packages define they document."""
    for name in sorted(set(dir(cls))):
        owner = next((c for c in cls.__mro__ if name in vars(c)), None)
        if name.startswith("_") or owner is None or not _is_ours(owner):
            continue
        value = vars(owner)[name]
        if (_is_method(value) or _is_attribute(value)) and _doc(cls, name, value):
            yield name, value


def _is_ours(owner: Any) -> bool:
    return owner.__module__.split(".")[0] == ROOT


def _is_method(value: Any) -> bool:
    function = getattr(value, "fn", value)  # of scikit-learn's `available_if`
    function = getattr(function, "__func__", function)  # of class and static methods
    return inspect.isfunction(function) and _is_ours(function)


def _is_attribute(value: Any) -> bool:
    return isinstance(value, (property, cached_property))


def _doc(cls: Any, name: str, value: Any) -> str | None:
    return inspect.getdoc(value if _is_attribute(value) else getattr(cls, name))
