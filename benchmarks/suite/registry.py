"""Cases by family and name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["FAMILIES", "Entry", "Measurable", "case", "load", "registered"]

FAMILIES = (
    "engine",
    "mil",
    "domain_adaptation",
    "meta_learning",
    "generation",
    "many_fits",
)


class Measurable(Protocol):
    """What the function of a case returns."""

    def measure(self, threads: int, rounds: int) -> dict[str, Any]:
        """Return the row without name, family, threads and environment."""
        ...


@dataclass(frozen=True)
class Entry:
    """A registered case, not built yet."""

    family: str
    name: str
    make: Callable[[], Measurable]
    threads: tuple[int, ...]


_ENTRIES: dict[tuple[str, str], Entry] = {}


def case(
    family: str, name: str, threads: tuple[int, ...] = (1, 2)
) -> Callable[[Callable[[], Measurable]], Callable[[], Measurable]]:
    """Register a function that makes a case.

    Parameters
    ----------
    family : str
        The file of results that the row goes to.
    name : str
        What the row is called; unique in its family.
    threads : tuple of int, default=(1, 2)
        Numbers of threads that are worth a row.

    Returns
    -------
    callable
        Decorator that leaves the function as it is.
    """

    def register(make: Callable[[], Measurable]) -> Callable[[], Measurable]:
        if (family, name) in _ENTRIES:
            raise ValueError(f"there are two cases {name!r} in {family!r}")
        _ENTRIES[family, name] = Entry(family, name, make, threads)
        return make

    return register


def registered(families: tuple[str, ...] = ()) -> list[Entry]:
    """Return the entries of some families, of all without an argument."""
    return [e for e in _ENTRIES.values() if not families or e.family in families]


def load(families: tuple[str, ...]) -> list[Entry]:
    """Import the modules of families and return their entries."""
    for family in families:
        importlib.import_module(f"cases.{family}")
    return registered(families)
