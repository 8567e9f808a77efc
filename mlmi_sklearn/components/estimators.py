"""All estimators of the package and its plugins, as classes."""

from __future__ import annotations

import warnings
from typing import Any

from ..exceptions import ComponentConflictError, PluginError, PluginWarning
from .component import Component
from .registry import find_component, list_components

__all__ = ["all_estimators"]


def all_estimators(type_filter: str | None = None) -> list[tuple[str, type[Any]]]:
    """Return all estimators, as :func:`sklearn.utils.all_estimators` does.

    This imports every one of them.

    Parameters
    ----------
    type_filter : {"classifier", "regressor", "transformer", "sampler"}, default=None
        Only estimators of that type.

    Returns
    -------
    list of (str, type)
        Name and class, sorted by name. An estimator whose short name stands for
        another one has the name ``"distribution:name"``.

    Raises
    ------
    ValueError
        When no estimator has the type.

    Warns
    -----
    PluginWarning
        For an estimator of a plugin that cannot be imported; it is left out.

    Examples
    --------
    >>> all_estimators("plumber")
    Traceback (most recent call last):
    ValueError: type_filter='plumber' fits no estimator; there are: ...
    """
    parts = list_components("estimator")
    if type_filter is not None:
        types = sorted({str(part.tags.get("type", "")) for part in parts} - {""})
        if type_filter not in types:
            raise ValueError(
                f"type_filter={type_filter!r} fits no estimator; there are: "
                f"{', '.join(types)}."
            )
        parts = [part for part in parts if part.tags.get("type") == type_filter]
    found = []
    for part in parts:
        cls = _loaded(part)
        if cls is not None:
            found.append((_public_name(part), cls))
    return sorted(found, key=lambda pair: pair[0])


def _loaded(part: Component) -> Any:
    """Return the class; None, with a warning, for a plugin's that is broken."""
    try:
        return part.load()
    except PluginError as error:
        if not part.third_party:
            raise
        warnings.warn(str(error), PluginWarning, stacklevel=3)
        return None


def _public_name(part: Component) -> str:
    """Return the shortest name that stands for this part and no other."""
    try:
        known = find_component("estimator", part.name)
    except ComponentConflictError:
        return part.qualified_name
    return part.name if known is part else part.qualified_name
