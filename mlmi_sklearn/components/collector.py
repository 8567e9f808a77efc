"""The function ``register`` that a hook is given."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from types import MappingProxyType
from typing import Any

from ..exceptions import PluginError
from .component import Component
from .discovery import Candidate
from .hookspecs import Register

__all__ = ["Collector"]

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Collector:
    """Parts that one plugin registers, kept apart until all its hooks have run.

    Parameters
    ----------
    candidate : Candidate
        The plugin.
    taken : container of (str, str)
        Kind and name of parts that its distribution has registered already.

    Examples
    --------
    >>> collector = Collector(Candidate("x", "fancy", "1.0", dict), taken=())
    >>> collector.register_for("loss")("total", sum, summary="Sum of everything.")
    >>> collector.parts[0].qualified_name
    'fancy:total'
    """

    def __init__(self, candidate: Candidate, taken: Container[tuple[str, str]]) -> None:
        self._candidate = candidate
        self._taken = taken
        self._parts: dict[tuple[str, str], Component] = {}
        self._closed = False

    @property
    def parts(self) -> tuple[Component, ...]:
        """What was registered, in that order."""
        return tuple(self._parts.values())

    def close(self) -> None:
        """Refuse further parts: a plugin may have kept ``register``."""
        self._closed = True

    def register_for(self, kind: str) -> Register:
        """Return ``register`` for one kind of component."""

        def register(
            name: str,
            factory: Callable[..., Any] | str,
            *,
            summary: str,
            tags: Mapping[str, Any] = _NOTHING,
            example: Mapping[str, Any] = _NOTHING,
        ) -> None:
            dist, version = self._candidate.dist, self._candidate.version
            self._add(
                Component(kind, name, factory, summary, tags, example, dist, version)
            )

        return register

    def _add(self, part: Component) -> None:
        """Keep a part unless it must be refused."""
        key = part.kind, part.name
        if self._closed:
            raise PluginError("register was called after the hooks had returned.")
        if not part.summary.strip():
            raise PluginError(f"summary of {part.label} is empty; say what it does.")
        if key in self._parts or key in self._taken:
            raise PluginError(f"{part.label} is registered twice.")
        self._parts[key] = part
