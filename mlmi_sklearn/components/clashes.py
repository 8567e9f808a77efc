"""Short names that more than one distribution claims."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .component import Component

__all__ = ["conflict", "find_clashes"]


def find_clashes(
    builtins: Iterable[Component], plugins: Iterable[Component]
) -> list[tuple[str, list[Component]]]:
    """Return the clashes among registered parts.

    Parameters
    ----------
    builtins, plugins : iterable of Component
        Parts of the package, and of all plugins.

    Returns
    -------
    list of (str, list of Component)
        A sentence that says how to name the parts, and the plugins' parts involved.

    Examples
    --------
    >>> own = Component("loss", "mse", sum, dist="mlmi-sklearn")
    >>> other = Component("loss", "mse", max, dist="fancy")
    >>> [(message, parts)] = find_clashes([own], [other])
    >>> message
    "loss 'mse' is a built-in name and keeps that meaning; use 'fancy:mse'."
    """
    own = {(part.kind, part.name) for part in builtins}
    groups: dict[tuple[str, str], list[Component]] = {}
    for part in plugins:
        groups.setdefault((part.kind, part.name), []).append(part)
    found = []
    for key, parts in sorted(groups.items()):
        if key in own:
            found += [(_shadow(part), [part]) for part in parts]
        elif len(parts) > 1:
            found.append((conflict(parts), parts))
    return found


def conflict(parts: Sequence[Component]) -> str:
    """Say that several plugins claim one short name, and how to name each.

    Parameters
    ----------
    parts : sequence of Component
        At least two parts with the same kind and name.

    Returns
    -------
    str
        One sentence.

    Examples
    --------
    >>> conflict([Component("loss", "x", sum, dist=dist) for dist in "ab"])
    "loss 'x' is registered by several distributions; use 'a:x' or 'b:x'."
    """
    names = " or ".join(repr(part.qualified_name) for part in parts)
    return f"{parts[0].label} is registered by several distributions; use {names}."


def _shadow(part: Component) -> str:
    """Say that a plugin took the name of a built-in part."""
    return (
        f"{part.label} is a built-in name and keeps that meaning; "
        f"use {part.qualified_name!r}."
    )
