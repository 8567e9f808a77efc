"""What an oddity is, and how arrays are laid out oddly.

Each :class:`Oddity` says what has to come of it:

``same``
    The meaning is unchanged: a model fitted on it, and rows given like it, predict what
    plain arrays give.
``close``
    The same numbers in another precision: predictions agree to it.
``any``
    Unusual: valid predictions, or an error that names the argument.
``refused``
    No meaning that could be guessed: always an error that names the argument.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

__all__ = [
    "Oddity",
    "collect",
    "if_installed",
    "layouts",
    "masked",
    "objects",
    "with_cell",
]

#: Where memory maps lie, for as long as this process runs.
FOLDER = tempfile.TemporaryDirectory(prefix="mlmi-fuzz-")


@dataclass(frozen=True)
class Oddity:
    """One thing done to one argument.

    `make` takes what is usual and a generator. `spares` names traits of estimators of
    which nothing but ``any`` can be asked; see ``subjects.py``.
    """

    argument: str
    name: str
    outcome: str
    make: Callable[[Any, np.random.Generator], Any] = field(repr=False)
    spares: tuple[str, ...] = ()

    def outcome_for(self, traits):
        return "any" if traits & set(self.spares) else self.outcome


def collect(argument, outcome, spares=(), **makers):
    """Return oddities with one outcome; makers take the value, or also a generator."""

    def with_rng(make):
        if isinstance(make, FunctionType) and "rng" in make.__code__.co_varnames:
            return make
        return lambda value, rng: make(value)

    return [
        Oddity(argument, name.replace("_", " "), outcome, with_rng(make), tuple(spares))
        for name, make in makers.items()
    ]


def if_installed(package, **makers):
    """Return makers that need an optional package; none where it is absent."""
    return makers if find_spec(package) else {}


class Subclass(np.ndarray):
    """An array of a class of its own."""


class OnlyArray:
    """Something that knows only how to become an array."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype=dtype)


def mapped(values, mode):
    """Return a memory map of a file with these numbers."""
    with tempfile.NamedTemporaryFile(dir=FOLDER.name, suffix=".npy") as file:
        np.save(file, values)
        file.flush()
        # The mapping outlives the name of the file.
        return np.load(Path(file.name), mmap_mode=mode)


def frozen(values):
    values = values.copy()
    values.flags.writeable = False
    return values


def strided(values):
    """Return a view of every other row, and every third column, of a larger array."""
    shape = [2 * len(values), *(3 * size for size in values.shape[1:])]
    steps = (slice(1, None, 2), *[slice(1, None, 3)] * (values.ndim - 1))
    larger = np.zeros(shape, dtype=values.dtype)
    larger[steps] = values
    return larger[steps]


def unaligned(values):
    """Return an array whose numbers begin at odd addresses."""
    buffer = np.zeros(values.nbytes + 1, dtype=np.uint8)
    view = np.ndarray(values.shape, values.dtype, buffer, offset=1)
    view[...] = values
    return view


def objects(values, convert):
    """Return an array of Python objects."""
    found = np.empty(values.shape, dtype=object)
    for place, value in np.ndenumerate(values):
        found[place] = convert(value.item())
    return found


def masked(values, rng, hidden):
    """Return a masked array in which one cell is hidden, or none."""
    mask = np.zeros(values.shape, dtype=bool)
    mask.flat[rng.integers(values.size)] = hidden
    return np.ma.MaskedArray(values, mask=mask)


def with_cell(values, cell, rng):
    """Put something into one cell; numbers among numbers, the rest among objects."""
    number = isinstance(cell, float) and values.dtype.kind in "fiu"
    if number and values.dtype.kind in "iu":
        values = values.astype(np.float64)
    values = values.copy() if number else values.astype(object)
    values.reshape(-1)[rng.integers(values.size)] = cell
    return values


def layouts(argument):
    """Return ways to lay out an array that have no meaning."""
    return collect(
        argument,
        "same",
        column_major=np.asfortranarray,
        backwards=lambda v: v[::-1].copy()[::-1],
        mirrored=lambda v: v[..., ::-1].copy()[..., ::-1],
        strided=strided,
        unaligned=unaligned,
        read_only=frozen,
        memory_map=lambda v: mapped(v, "r"),
        memory_map_to_write=lambda v: mapped(v, "c"),
        other_byte_order=lambda v: v.astype(v.dtype.newbyteorder()),
        subclass=lambda v: v.view(Subclass),
        mask_that_hides_nothing=lambda v, rng: masked(v, rng, hidden=False),
    ) + collect(argument, "same", ["bags"], only___array__=OnlyArray)
