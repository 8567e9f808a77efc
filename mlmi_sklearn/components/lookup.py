"""Which component a name stands for.

A short name means, in this order: the built-in part, what the program itself added, the
part of the one plugin that offers it. Plugins are imported only when the first two have
no answer. ``"distribution:name"`` means that part alone. Where no distribution has the
part, a colon may also be that of a family: ``"timm:resnet18"`` is a member of
``"timm:*"``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..exceptions import (
    ComponentConflictError,
    ComponentNotFoundError,
    PluginError,
)
from .clashes import conflict
from .component import Component
from .manager import PluginManager
from .naming import (
    BUILTIN_DIST,
    KINDS,
    USER_DIST,
    canonical_dist,
    check_kind,
    did_you_mean,
    family_prefix,
)

__all__ = ["Registry"]


class Registry:
    """All components a program can name.

    Parameters
    ----------
    manager : PluginManager, default=None
        Where built-in parts and plugins come from; None makes one.

    Examples
    --------
    >>> registry = Registry()
    >>> registry.find("backbone", "mlp").qualified_name
    'mlmi-sklearn:mlp'
    """

    def __init__(self, manager: PluginManager | None = None) -> None:
        self.manager = PluginManager() if manager is None else manager
        self._user: dict[tuple[str, str], Component] = {}

    def find(self, kind: str, name: str) -> Component:
        """Return one part; see :func:`find_component`."""
        kind = check_kind(kind)
        if not isinstance(name, str):
            raise TypeError(f"name must be a str, got {type(name).__name__}: {name!r}.")
        dist, _, short = name.partition(":")
        found = self._find_qualified(kind, dist, short) if short else None
        found = found or self._find_short(kind, name) or self._missing(kind, name)
        if found.member:
            found.load()  # only its family can say whether there is such a member
        return found

    def select(
        self, kind: str | None = None, *, builtin: bool = False, **tags: Any
    ) -> list[Component]:
        """Return all parts that fit; see :func:`list_components`."""
        wanted = KINDS if kind is None else (check_kind(kind),)
        found = [
            part
            for part in (self.manager.builtins() if builtin else self._all())
            if part.kind in wanted
            and all(_has_tag(part, key, value) for key, value in tags.items())
        ]
        return sorted(found, key=lambda p: (KINDS.index(p.kind), p.name, p.dist))

    def add(self, part: Component, *, overwrite: bool = False) -> Component:
        """Add a user's part; see :func:`register_component`."""
        with self.manager.lock:
            if self.manager.loading:
                raise PluginError(
                    f"{part.label} was given to register_component while a plugin was "
                    "being loaded; plugins register their parts in their hooks."
                )
            if any(_same(part, own) for own in self.manager.builtins()):
                raise ComponentConflictError(
                    f"{part.label} is built in and cannot be replaced; take another "
                    "name."
                )
            if (part.kind, part.name) in self._user and not overwrite:
                raise ComponentConflictError(
                    f"{part.label} is already registered; pass overwrite=True to "
                    "replace it, or take another name."
                )
            self._user[part.kind, part.name] = part
        return part

    def remove(self, kind: str, name: str) -> None:
        """Remove a user's part; see :func:`unregister_component`."""
        key = check_kind(kind), name.removeprefix(f"{USER_DIST}:")
        with self.manager.lock:
            if self._user.pop(key, None) is None:
                raise ComponentNotFoundError(
                    f"no {key[0]} {name!r} was added by register_component."
                    + did_you_mean(name, [n for k, n in self._user if k == key[0]])
                )

    def _find_short(self, kind: str, name: str) -> Component | None:
        """Look in the three places, in order."""
        for part in (*self.manager.builtins(), *self._user_parts()):
            if part.kind == kind and (found := part.named(name)):
                return found
        offers = [
            found
            for part in self.manager.plugins()
            if part.kind == kind and (found := part.named(name))
        ]
        if len(offers) > 1:
            raise ComponentConflictError(conflict(offers))
        return offers[0] if offers else None

    def _find_qualified(self, kind: str, dist: str, short: str) -> Component | None:
        """Look among the parts of one distribution."""
        dist = canonical_dist(dist)
        places: dict[str, Callable[[], tuple[Component, ...]]] = {
            BUILTIN_DIST: self.manager.builtins,
            USER_DIST: self._user_parts,
        }
        for part in places.get(dist, self.manager.plugins)():
            if (
                part.kind == kind
                and canonical_dist(part.dist) == dist
                and (found := part.named(short))
            ):
                return found
        return None

    def _missing(self, kind: str, name: str) -> Component:
        """Raise the error that helps to find the right name."""
        parts = [part for part in self._all() if part.kind == kind]
        short = list(dict.fromkeys(sorted(part.name for part in parts)))
        qualified = [part.qualified_name for part in parts if not part.is_family]
        after = name.partition(":")[2]
        qualified += [p + after for part in parts if (p := family_prefix(part.name))]
        hint = did_you_mean(name, qualified if ":" in name else short)
        raise ComponentNotFoundError(
            f"no {kind} is called {name!r}.{hint} Available: {', '.join(short)}."
            f"{self._troubles()}"
        )

    def _troubles(self) -> str:
        """List the plugins that might have had the answer."""
        return "".join(
            f" Plugin {info.name!r} of {info.dist!r} is {info.status}: {info.error}"
            for info in self.manager.infos()
            if info.status != "ok"
        )

    def _all(self) -> list[Component]:
        """Return every part there is, in order of precedence."""
        return [
            *self.manager.builtins(),
            *self._user_parts(),
            *self.manager.plugins(),
        ]

    def _user_parts(self) -> tuple[Component, ...]:
        """Return the parts of the program, as they are at this moment."""
        return tuple(self._user.values())


def _same(part: Component, other: Component) -> bool:
    """Say whether two parts have the same kind and name."""
    return (part.kind, part.name) == (other.kind, other.name)


def _has_tag(part: Component, key: str, value: object) -> bool:
    """Say whether a tag has a value, or has it among several."""
    if key not in part.tags:
        return False
    have = part.tags[key]
    if isinstance(have, list | tuple | set | frozenset):
        return value in have or have == value
    return bool(have == value)
