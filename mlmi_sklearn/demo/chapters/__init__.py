"""The chapters of the demo, one public module for each family of methods.

A chapter is the module ``<family>.py``, or the package ``<family>/``, of this folder;
being there registers it. It defines two things:

``PRESETS``
    A mapping with the keys ``"full"`` and ``"quick"``; what it holds is the chapter's
    own business. Together the quick runs of all chapters should take about a minute
    and a half on two cores, the full ones five minutes.
``write(settings)``
    Runs the experiments with one of those and returns a
    :class:`~mlmi_sklearn.demo.content.Chapter`. The module
    ``experiment`` fits methods under a progress bar that heeds Ctrl-C, ``evidence``
    makes sentences from scores, and ``pictures`` draws.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol, cast

from ..content import Chapter
from ..errors import RequestError

__all__ = ["FAMILIES", "ChapterModule", "families_to_show", "load_chapter"]

# In the order in which they are shown.
FAMILIES = ("mil", "da", "meta", "gan")


class ChapterModule(Protocol):
    """What the module of a chapter defines; see the text of this package."""

    PRESETS: Mapping[str, Any]

    def write(self, settings: Any) -> Chapter:
        """Run the experiments."""


def families_to_show(family: str) -> tuple[str, ...]:
    """Return the families whose chapters a request stands for.

    Parameters
    ----------
    family : str
        One of :data:`FAMILIES`, or "all" for those that have a chapter.

    Returns
    -------
    tuple of str
        Not empty.

    Raises
    ------
    RequestError
        If the family is unknown or has no chapter; the message says which have.

    Examples
    --------
    >>> families_to_show("mil")
    ('mil',)
    """
    written = {module.name for module in pkgutil.iter_modules(__path__)}
    there = tuple(name for name in FAMILIES if name in written)
    if family == "all" and there:
        return there
    if family in there:
        return (family,)
    state = "has no chapter yet" if family in FAMILIES else "is not a family"
    raise RequestError(
        f"{family!r} {state}; use one of those there are: {', '.join(there)}, or 'all'."
    )


def load_chapter(family: str) -> ChapterModule:
    """Import the chapter of a family.

    Parameters
    ----------
    family : str
        From :func:`families_to_show`.

    Returns
    -------
    module
        With ``PRESETS`` and ``write``.
    """
    return cast(ChapterModule, import_module(f"{__name__}.{family}"))
