"""Which reader a file of a slide is given to.

Plugins register readers under the kind ``"slide-reader"`` with the suffixes they are
for. A file goes to the one that claims its suffix and, where it can tell, knows the
file; all others go to the package's own, :func:`~.slides.read_image`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..components import Component, find_component, list_components
from ..components.naming import BUILTIN_DIST
from ..exceptions import ComponentConflictError, PluginError, PluginWarning
from .slides import read_image

__all__ = ["AUTO", "Reader", "check_reader", "reader_for"]

AUTO = "auto"

Reader = Callable[[Any], Any]

_METHODS = ("shape", "read", "overview")


def check_reader(reader: str | Reader | None, params: Mapping[str, Any] | None) -> None:
    """Raise unless there is such a reader and it can have these parameters.

    Parameters
    ----------
    reader : str, callable or None
        As in :class:`TileGrid`.
    params : mapping or None
        Keyword arguments of the reader.

    Raises
    ------
    ComponentNotFoundError
        If no reader has the name.
    ValueError
        If there are parameters and no reader that takes them.
    """
    if reader is None and params:
        raise ValueError(
            "reader_params is for a reader that is named, chosen or passed; with "
            "reader=None leave it out."
        )
    if isinstance(reader, str) and reader != AUTO:
        find_component("slide-reader", reader)


def reader_for(
    source: str | Path,
    reader: str | Reader | None,
    params: Mapping[str, Any] | None = None,
) -> Reader:
    """Choose what opens a file.

    Parameters
    ----------
    source : str or Path
        The file.
    reader : str, callable or None
        As in :class:`TileGrid`.
    params : mapping, default=None
        Keyword arguments of the reader.

    Returns
    -------
    callable
        From the path to a :class:`SlideReader` or an array.

    Raises
    ------
    FileNotFoundError
        If a registered reader is to open a file that does not exist.
    ComponentConflictError
        If several plugins claim the file.

    Examples
    --------
    >>> reader_for("scan.png", "auto") is read_image
    True
    """
    options = dict(params or {})
    if reader is None:
        return read_image
    if callable(reader):
        return partial(reader, **options) if options else reader
    part = (
        _claimant(source) if reader == AUTO else find_component("slide-reader", reader)
    )
    if part is not None:
        return partial(_open, part, options)
    if options:
        raise ValueError(
            f"is read without a plugin, which takes no reader_params; {options} was "
            "passed. Name the reader they are for, reader=..., or leave them out."
        )
    return read_image


def _open(part: Component, options: dict[str, Any], source: str | Path) -> Any:
    """Open a file with a registered reader and make sure that it can be read."""
    # Before the reader is asked, so that all readers say the same.
    if "://" not in str(source) and not Path(source).exists():
        raise FileNotFoundError(f"{source} is not a file.")
    slide = part.build(source, **options)
    missing = [name for name in _METHODS if not hasattr(slide, name)]
    if missing and not isinstance(slide, np.ndarray):
        raise PluginError(
            f"{part.label} of {part.dist!r} returned a {type(slide).__name__} without "
            f"{', '.join(missing)}; a slide has {', '.join(_METHODS)}."
        )
    return slide


def _claimant(source: str | Path) -> Component | None:
    """Return the one plugin's reader that claims a file, if any."""
    claims = [part for part in list_components("slide-reader") if _claims(part, source)]
    if len(claims) > 1:
        names = " and ".join(repr(part.qualified_name) for part in claims)
        raise ComponentConflictError(
            f"is claimed by the slide readers {names}. Choose one: reader="
            f"{claims[0].qualified_name!r}."
        )
    return claims[0] if claims else None


def _claims(part: Component, source: str | Path) -> bool:
    """Tell whether a reader is for files of that suffix, and for this one."""
    name, suffixes = Path(source).name.lower(), part.tags.get("suffixes", ())
    if part.dist == BUILTIN_DIST or not name.endswith(tuple(suffixes)):
        return False
    try:
        detect = getattr(part.load(), "detect", None)
        return detect is None or bool(detect(source))
    except Exception as error:  # a plugin at fault must not keep others from the file
        warnings.warn(
            f"{part.label} of {part.dist!r} cannot say whether it reads {source} and "
            f"was passed over: {error}",
            PluginWarning,
            stacklevel=2,
        )
        return False
