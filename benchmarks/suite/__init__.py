"""The runner behind ``benchmarks/run.py``: cases, turns, rows, tables.

A case is a function without arguments in ``benchmarks/cases``, registered with
:func:`case`, that makes its data and returns what to measure: a :class:`Case` (times of
contenders that take turns), a :class:`Scaling` (how cost grows), a :class:`Memory` (the
peak of one fit). Each runs in a fresh process.
"""

from .agreement import largest_difference, same, start_of
from .contenders import Command, Remote, not_installed, remote_python
from .measures import Memory, Scaling
from .registry import FAMILIES, case, load, registered
from .timing import Case

__all__ = [
    "FAMILIES",
    "Case",
    "Command",
    "Memory",
    "Remote",
    "Scaling",
    "case",
    "largest_difference",
    "load",
    "not_installed",
    "registered",
    "remote_python",
    "same",
    "start_of",
]
