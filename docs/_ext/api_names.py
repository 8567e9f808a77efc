"""The public names of the package, each object once.

Everything in `__all__` of a public module has a page in the reference. An object that
several modules offer has one page, under its shortest name.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from api_sections import SECTIONS

__all__ = ["ROOT", "by_section", "canonical_name", "offered", "resolve"]

ROOT = "mlmi_sklearn"


@cache
def by_section() -> dict[str, list[str]]:
    """Return the public names of each section; every object is named once."""
    found: dict[str, list[str]] = {section.page: [] for section in SECTIONS}
    named: set[str] = set()
    places = [(s.page, module) for s in SECTIONS for module in s.modules]
    # What only the root offers comes last.
    for page, module in [*places, ("utilities", ROOT)]:
        for name in offered(module):
            full = canonical_name(f"{module}.{name}")
            if full not in named:
                named.add(full)
                found[page].append(full)
    return found


def offered(module: str) -> list[str]:
    """Return the public names of a module; none where there is no such module."""
    if find_spec(module) is None:
        return []
    found = import_module(module)
    names = [*found.__all__]
    if module == f"{ROOT}.specs":
        names += found.spec_names()
    return [name for name in names if not name.startswith("__")]


def canonical_name(full: str) -> str:
    """Return the name under which an object has its page; its own if it has none."""
    return _pages().get(_key(full, resolve(full)), full)


@cache
def _pages() -> dict[object, str]:
    modules = [ROOT, *(module for section in SECTIONS for module in section.modules)]
    found: dict[object, str] = {}
    for module in modules:
        # Classes of parts can be had from the root, though it does not list them.
        shown = ROOT if module == f"{ROOT}.specs" else module
        for name in offered(module):
            place = module if name in import_module(module).__all__ else shown
            full = f"{place}.{name}"
            found.setdefault(_key(full, resolve(full)), full)
    return found


def _key(full: str, value: Any) -> object:
    plain = value is None or isinstance(value, (str, int, float, tuple))
    return full if plain else id(value)


def resolve(full: str) -> Any:
    """Return the object of a dotted name, or None."""
    parts = full.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(parts[:end]))
            for part in parts[end:]:
                found = getattr(found, part)
            return found
        except (ImportError, AttributeError):
            continue
    return None
